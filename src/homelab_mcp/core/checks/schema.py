"""The Compose Specification's JSON Schema, compiled once, its errors turned into sentences without values."""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from homelab_mcp.core.yaml12 import Path


@dataclass(frozen=True, slots=True)
class SchemaProblem:
    """What the schema objects to. ``key`` is set when the path leads to a key that should not be there.

    ``at_key`` is True where the key is the place to look at: what stands below it goes on over more lines.
    """

    path: Path
    message: str
    key: str = ""
    at_key: bool = False


@cache
def schema() -> dict[str, Any]:
    """The vendored schema."""
    loaded: dict[str, Any] = json.loads(files("homelab_mcp.core").joinpath("compose-spec.json").read_text("utf-8"))
    return loaded


@cache
def _validator() -> Any:
    import jsonschema_rs

    return jsonschema_rs.validator_for(schema())


@cache
def service_keys() -> frozenset[str]:
    """Every key a service may have."""
    definitions = schema()["$defs"]
    parts = ("service", "container_spec", "workload_spec")
    return frozenset(key for part in parts for key in definitions[part].get("properties", {}))


def problems(data: Any, *, json: bool | None = None) -> Iterator[SchemaProblem]:
    """What is wrong with a compose file's data as written (variables not put in).

    ``json`` is what :func:`is_json` says of it, where that is known. A text that holds a variable is never called
    wrong: what it will be is not known to the schema.
    """
    safe = data if (is_json(data) if json is None else json) else _sanitized(data)
    if _validator().is_valid(safe):
        return
    for error in _validator().iter_errors(safe):
        yield from _explain(error, data)


def non_text_keys(data: Any, path: Path = ()) -> Iterator[Path]:
    """Paths of keys that are no text: Compose refuses them everywhere but below ``x-``."""
    if isinstance(data, dict):
        for key, value in data.items():
            if not isinstance(key, str):
                yield (*path, key)
            elif path or not key.startswith("x-"):
                yield from non_text_keys(value, (*path, key))
    elif isinstance(data, list):
        for n, item in enumerate(data):
            yield from non_text_keys(item, (*path, n))


def is_json(data: Any) -> bool:
    """False when JSON has no word for some of the data. A look costs a third of the copy, which few files need."""
    kind = type(data)
    if kind is dict:
        for key, value in data.items():
            if type(key) is not str or (type(value) is not str and not is_json(value)):
                return False
        return True
    if kind is list:
        return all([type(item) is str or is_json(item) for item in data])
    if kind is int:
        return bool(abs(data) <= _BIGGEST)
    return kind is str or kind is bool or data is None or (kind is float and math.isfinite(data))


_BIGGEST = 2**63 - 1


def _sanitized(data: Any) -> Any:
    """The data without what JSON has no word for (other rules speak of that)."""
    if isinstance(data, dict):
        return {str(key): _sanitized(value) for key, value in data.items()}
    if isinstance(data, list):
        return [_sanitized(item) for item in data]
    if isinstance(data, float) and not math.isfinite(data):
        return 0
    if isinstance(data, int) and not isinstance(data, bool) and abs(data) > _BIGGEST:
        return 0
    return data


def _explain(error: Any, data: Any) -> Iterator[SchemaProblem]:
    path: Path = tuple(error.instance_path)
    kind = error.kind.name
    if kind in {"oneOf", "anyOf"} and hasattr(error.kind, "context"):
        for inner in _best_branch(error):
            yield from _explain(inner, data)
        return
    if kind in {"additionalProperties", "unevaluatedProperties"}:
        yield from _unknown_keys(path, error.kind.unexpected, kind)
        return
    if kind == "uniqueItems" and path[-1:] and path[-1] not in _UNIQUE:
        return
    value = _at(data, path)
    if isinstance(value, str) and "$" in value:
        return
    message = f"{_name(path)} {_demand(error, value)}."
    if kind == "uniqueItems" and isinstance(value, list):
        yield SchemaProblem((*path, _repeated(value)), message)
        return
    yield SchemaProblem(path, message, at_key=isinstance(value, dict | list))


def _repeated(items: list[Any]) -> int:
    """The place of the first item that was there before."""
    return next((n for n, item in enumerate(items) if item in items[:n]), 0)


# The lists whose repeated items Compose 2.40.3 refuses; of the others it takes one before it asks the schema.
_UNIQUE = frozenset({"networks", "security_opt", "depends_on", "links", "external_links", "group_add"})


def _best_branch(error: Any) -> list[Any]:
    """Of the ways a value could have been right, the one it comes closest to."""
    here = len(error.instance_path)

    def distance(branch: list[Any]) -> tuple[int, int]:
        wrong_type = any(e.kind.name == "type" and len(e.instance_path) == here for e in branch)
        return (1 if wrong_type else 0, len(branch))

    branches = [list(b) for b in error.kind.context if b]
    if not branches:
        return []
    best = min(branches, key=distance)
    if distance(best)[0] and len(branches) > 1:
        types = dict.fromkeys(t for b in branches for e in b if e.kind.name == "type" for t in e.kind.types)
        return [_Mixed(error, list(types))]
    return best


class _Mixed:
    """An error that says which types would have done."""

    def __init__(self, error: Any, types: list[str]) -> None:
        self.instance_path = error.instance_path
        self.kind = _MixedKind(types)
        self.message = ""


@dataclass(frozen=True, slots=True)
class _MixedKind:
    types: list[str]
    name: str = "type"


def _unknown_keys(path: Path, unexpected: list[str], kind: str) -> Iterator[SchemaProblem]:
    known = _known_keys(path)
    for key in unexpected:
        # When one property is wrong, "unevaluated" lists all of them.
        if kind == "unevaluatedProperties" and (key in known or key.startswith("x-")):
            continue
        if len(path) == 1 and path[0] in {"services", "networks", "volumes", "secrets", "configs", "models"}:
            message = f"{key!r} is no name for one of {path[0]!r}: letters, digits, '.', '_' and '-' only."
        else:
            near = difflib.get_close_matches(key, known, n=1, cutoff=0.7)
            tail = f" Did you mean {near[0]!r}?" if near else ""
            message = f"{_name(path)} knows no key {key!r}.{tail}"
        yield SchemaProblem((*path, key), message, key)


def _known_keys(path: Path) -> frozenset[str]:
    if not path:
        return frozenset(schema()["properties"])
    if len(path) == 2 and path[0] in {"services", "jobs"}:
        return service_keys()
    definitions = schema()["$defs"]
    if len(path) == 2 and str(path[0])[:-1] in definitions:
        return frozenset(definitions[str(path[0])[:-1]].get("properties", {}))
    node = _schema_at(path)
    return frozenset(node.get("properties", {})) if node else frozenset()


def _schema_at(path: Path) -> dict[str, Any] | None:
    """The schema of an object inside a service, found by following property names."""
    if len(path) < 3 or path[0] != "services":
        return None
    nodes: list[Any] = [
        {"$ref": "#/$defs/container_spec"},
        {"$ref": "#/$defs/service"},
        {"$ref": "#/$defs/workload_spec"},
    ]
    for step in path[2:]:
        found: list[Any] = []
        for node in _resolved(nodes):
            if isinstance(step, int):
                found.append(node.get("items"))
            else:
                found.append(node.get("properties", {}).get(step))
                found.extend(node.get("patternProperties", {}).values())
        nodes = [n for n in found if isinstance(n, dict)]
    return next((n for n in _resolved(nodes) if n.get("properties")), None)


def _resolved(nodes: list[Any]) -> Iterator[dict[str, Any]]:
    definitions = schema()["$defs"]
    for node in nodes:
        target = definitions[node["$ref"].rsplit("/", 1)[-1]] if "$ref" in node else node
        yield target
        yield from _resolved([n for word in ("oneOf", "anyOf", "allOf") for n in target.get(word, ())])


_WORDS = {
    "string": "text",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "object": "a mapping",
    "array": "a list",
    "null": "nothing",
}


def _demand(error: Any, value: Any) -> str:
    kind = error.kind
    if kind.name == "type":
        return f"must be {_or([_WORDS.get(t, t) for t in kind.types])}, not {_kind_of(value)}"
    if kind.name == "enum":
        return f"must be one of {_or([json.dumps(o) for o in kind.as_dict().get('options', [])])}"
    if kind.name == "required":
        missing = kind.as_dict().get("property", "")
        return f"needs the key {str(missing).strip(chr(34))!r}"
    if kind.name == "uniqueItems":
        return "has an item twice"
    if kind.name == "pattern":
        return "is not written as it must be"
    return f"breaks the Compose schema ({kind.name})"


def _or(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}" if words else "something else"


def _kind_of(value: Any) -> str:
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return "a bare true or false (quote it)"
    if isinstance(value, int | float):
        return "a number (quote it)"
    if isinstance(value, str):
        return "text"
    return "a list" if isinstance(value, list) else "a mapping"


def _name(path: Path) -> str:
    if not path:
        return "A compose file"
    if len(path) == 2 and path[0] == "services":
        return "A service"
    steps = path[2:] if len(path) > 2 and path[0] == "services" else path
    return "'" + ".".join(str(s) for s in steps) + "'"


def _at(data: Any, path: Path) -> Any:
    for step in path:
        if isinstance(data, dict):
            data = data.get(step, next((v for k, v in data.items() if str(k) == step), None))
        elif isinstance(data, list) and isinstance(step, int) and step < len(data):
            data = data[step]
        else:
            return None
    return data
