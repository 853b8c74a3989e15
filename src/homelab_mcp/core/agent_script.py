"""Scripts of what an agent does: steps as data, and whether what came back is what was expected."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from homelab_mcp.model.errors import InvalidInput


class Step(BaseModel):
    """One step, one of four kinds.

    Args:
        tool: call it with ``with``; ``refused`` names the code of the error that must come instead of an answer.
        approve: a person's yes to this plan, by the PIN.
        decline: a person's no.
        file: a file of the lab, relative to its root, that must hold all of ``contains`` and none of ``lacks``.
        expect: by path in the answer (``services.0.state``), a value that must be there, or a condition: ``contains``
            (in the text of what is there), ``lacks``, ``any`` (one of these values).
        save: names for parts of the answer, by path, for ``{name}`` in later steps.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    tool: str = ""
    arguments: dict[str, Any] = Field({}, alias="with")
    refused: str = ""
    approve: str = ""
    decline: str = ""
    file: str = ""
    contains: list[str] = []
    lacks: list[str] = []
    expect: dict[str, Any] = {}
    save: dict[str, str] = {}

    @model_validator(mode="after")
    def _one_kind(self) -> Step:
        if sum(bool(kind) for kind in (self.tool, self.approve, self.decline, self.file)) != 1:
            raise ValueError("a step is one of tool, approve, decline, file")
        return self


class Script(BaseModel):
    """What a person says, and the steps that serve it. ``intents``: numbers of what it shows, free words."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    says: str
    intents: list[str] = []
    steps: list[Step] = Field(min_length=1)


def parse_script(text: str, where: str) -> Script:
    """A script from YAML. Raises InvalidInput (code ``bad_script``) with the first thing that is wrong."""
    try:
        return Script.model_validate(yaml.safe_load(text))
    except yaml.YAMLError:
        problem = "it is no YAML"
    except ValidationError as error:
        first = error.errors()[0]
        problem = f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"
    raise InvalidInput(f"{where} is no script: {problem}.", hint="See docs/agent-test.md.", code="bad_script")


def filled(value: Any, saved: Mapping[str, str]) -> Any:
    """The value with each ``{name}`` that was saved in its place; others stay as they are."""
    if isinstance(value, str):
        return re.sub(r"\{(\w+)\}", lambda m: saved.get(m[1], m[0]), value)
    if isinstance(value, dict):
        return {key: filled(inner, saved) for key, inner in value.items()}
    if isinstance(value, list):
        return [filled(inner, saved) for inner in value]
    return value


def at(data: Any, path: str) -> Any:
    """What is at a path such as ``matches.0.id``; None where there is nothing. "" is all of it."""
    for part in path.split(".") if path else ():
        if isinstance(data, dict):
            data = data.get(part)
        elif isinstance(data, list) and part.isdigit() and int(part) < len(data):
            data = data[int(part)]
        else:
            return None
    return data


def unmet(step: Step, data: Any) -> list[str]:
    """What the answer does not hold of what the step expects, a sentence each."""
    found = []
    for path, wanted in step.expect.items():
        is_there = at(data, path)
        if isinstance(wanted, dict) and wanted.keys() <= {"contains", "lacks", "any"}:
            text = is_there if isinstance(is_there, str) else yaml.safe_dump(is_there, allow_unicode=True, width=10_000)
            found += [f"{path} does not hold {w!r}" for w in _many(wanted.get("contains")) if w not in text]
            found += [f"{path} holds {w!r}" for w in _many(wanted.get("lacks")) if w in text]
            if "any" in wanted and is_there not in wanted["any"]:
                found.append(f"{path} is {is_there!r}, none of {wanted['any']!r}")
        elif is_there != wanted:
            found.append(f"{path} is {is_there!r}, not {wanted!r}")
    return found


def _many(words: Any) -> list[str]:
    return [words] if isinstance(words, str) else list(words or ())
