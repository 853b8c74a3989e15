"""Values of a merged compose model, each with the file and the place it was written at."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from homelab_mcp.core.compose_model import ComposeFile, Text, raw_text
from homelab_mcp.core.yaml12 import Path


class Part:
    """A value of the merged model: a scalar, ``dict[key, Part]`` or ``list[Part]``, and where it was written.

    Parts are shared and never changed.
    """

    __slots__ = ("file", "path", "value")

    def __init__(self, value: Any, file: ComposeFile, path: Path) -> None:
        self.value = value
        self.file = file
        self.path = path

    def like(self, value: Any) -> Part:
        """Another value from the same place."""
        return Part(value, self.file, self.path)

    def get(self, key: str) -> Part | None:
        """The part under a key; None where there is none or this is no mapping."""
        found = self.value.get(key) if isinstance(self.value, dict) else None
        return found if isinstance(found, Part) else None


def parts_of(file: ComposeFile, value: Any, path: Path = ()) -> Part:
    """A compose text's data (or a part of it) as parts."""
    if isinstance(value, dict):
        return Part({k: parts_of(file, v, (*path, k)) for k, v in value.items()}, file, path)
    if isinstance(value, list):
        return Part([parts_of(file, v, (*path, n)) for n, v in enumerate(value)], file, path)
    return Part(value, file, path)


def plain(part: Part) -> Any:
    """Values alone, variables put in."""
    value = part.value
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, list):
        return [plain(v) for v in value]
    return value


def as_written(value: Any) -> Any:
    """Plain values with every text as it stands in its file."""
    if isinstance(value, dict):
        return {k: as_written(v) for k, v in value.items()}
    if isinstance(value, list):
        return [as_written(v) for v in value]
    return value.raw if isinstance(value, Text) else value


def weight(root: Part) -> int:
    """How many values the part has when everything that is shared is written out."""
    known: dict[int, int] = {}

    def of(part: Part) -> int:
        me = id(part)
        if me not in known:
            value = part.value
            inside: Iterable[Part] = (
                value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
            )
            known[me] = 1 + sum(of(p) for p in inside)
        return known[me]

    return of(root)


def without(part: Part, tagged: Sequence[Path]) -> Part:
    """The part without what stands at these paths (``!reset``; ``!override`` before the new value is merged in)."""
    for path in tagged:
        part = _dropped(part, path)
    return part


def _dropped(part: Part, path: Path) -> Part:
    inside = part.get(str(path[0])) if path else None
    if inside is None:
        return part
    if len(path) == 1:
        return part.like({k: v for k, v in part.value.items() if k != path[0]})
    return part.like({**part.value, path[0]: _dropped(inside, path[1:])})


# --- one form for another ----------------------------------------------------------------------------------------


def items(part: Part) -> list[Part]:
    """As a list: a mapping's pairs become ``KEY=value``, one text a list of one."""
    value = part.value
    if isinstance(value, dict):
        return [item for key in sorted(value, key=str) for item in _written_out(str(key), value[key])]
    if isinstance(value, list):
        return value
    return [part] if isinstance(value, str) else []


def _written_out(key: str, part: Part) -> Iterator[Part]:
    if part.value is None:
        yield part.like(key)
    for each in part.value if isinstance(part.value, list) else [part] if part.value is not None else []:
        text = f"{key}={_go(each.value)}"
        if isinstance(each.value, Text):
            yield part.like(Text.of(text, f"{key}={each.value.raw}", each.value.missing))
        else:
            yield part.like(text)


def _go(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def mapping_of(part: Part) -> Part | None:
    """``KEY=value`` items as a mapping; None where an item is no text."""
    if isinstance(part.value, dict):
        return part
    pairs: dict[str, Part] = {}
    for item in items(part):
        if not isinstance(item.value, str):
            return None
        key, equals, value = item.value.partition("=")
        pairs[key] = item.like(_tail(item.value, value) if equals else None)
    return part.like(pairs)


def _tail(whole: str, tail: str) -> str:
    if not isinstance(whole, Text):
        return tail
    return Text.of(tail, raw_text(whole).partition("=")[2], whole.missing)


def by_name(part: Part, default: dict[str, Any] | None) -> Part:
    """Names of a list as a mapping to ``default``; a mapping as it is."""
    if isinstance(part.value, dict):
        return part
    names: dict[Any, Part] = {}
    for item in items(part):
        inside = None if default is None else {k: item.like(v) for k, v in default.items()}
        names[str(item.value)] = item.like(inside)
    return part.like(names)


def with_context(part: Part) -> Part:
    """A ``build`` in its long form."""
    if isinstance(part.value, dict):
        return part
    return part.like({"context": part} if isinstance(part.value, str) else {})


def same_subnet(first: Part, second: Part) -> bool:
    """True for two ``ipam.config`` entries of one subnet (or of none)."""
    one, other = first.get("subnet"), second.get("subnet")
    return (one.value if one else None) == (other.value if other else None)


def kind(part: Part) -> str:
    """What it is, in words."""
    value = part.value
    return "a mapping" if isinstance(value, dict) else "a list" if isinstance(value, list) else "a single value"
