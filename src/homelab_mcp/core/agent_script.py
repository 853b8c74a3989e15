"""Scripts of what an agent does: steps as data, and whether what came back is what was expected."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from homelab_mcp.model.errors import InvalidInput

KINDS = ("tool", "approve", "decline", "apply", "file", "prompt", "resource", "write", "delete", "command", "start")

CONDITIONS = {"contains", "lacks", "some", "any", "above", "has"}


class Step(BaseModel):
    """One step, of one of the kinds in ``KINDS``.

    Args:
        tool: call it with ``with``; ``refused`` names the code of the error that must come instead of an answer.
            ``within``: call it again for so many seconds at most, until it is as expected.
        approve: a person's yes to this plan, by the PIN.
        decline: a person's no.
        apply: a person's yes, then ``apply_plan`` until it is done.
        file: a file of the lab, relative to its root, that must hold all of ``contains`` and none of ``lacks``, and
            belong to ``owner`` (``UID:GID``).
        prompt: a prompt, filled in by ``with``; its text is judged like a file's.
        resource: a resource's address; its text is judged like a file's.
        write: a file of the lab that the person changes by hand: ``text`` is all of it, or ``append`` is added, or
            ``replace`` says what of it becomes what.
        delete: a file that the person deletes.
        command: what the person types after ``homelab-mcp``; its output is judged like a file's.
        start: a program with its arguments that runs in the lab's folder until the script ends, so that there is
            something to be seen; ``{pid}`` is its number from then on.
        expect: by path in the answer (``services.0.state``), a value that must be there, or a condition: ``contains``
            (in the text of what is there), ``some`` (of these words are), ``lacks``, ``any`` (one of these values),
            ``above`` (a number that is greater), ``has`` (a list with an entry that holds all of these values).
        save: names for parts of the answer, by path, for ``{name}`` in later steps; ``{plan}`` is the last plan's id.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    tool: str = ""
    arguments: dict[str, Any] = Field({}, alias="with")
    refused: str = ""
    approve: str = ""
    decline: str = ""
    file: str = ""
    prompt: str = ""
    resource: str = ""
    apply: str = ""
    write: str = ""
    delete: str = ""
    command: str = ""
    start: str = ""
    within: int = Field(0, ge=0, le=600)
    owner: str = ""
    text: str = ""
    append: str = ""
    replace: dict[str, str] = {}
    contains: list[str] = []
    lacks: list[str] = []
    expect: dict[str, Any] = {}
    save: dict[str, str] = {}

    @model_validator(mode="after")
    def _one_kind(self) -> Step:
        if sum(bool(getattr(self, kind)) for kind in KINDS) != 1:
            raise ValueError(f"a step is one of {', '.join(KINDS)}")
        return self

    @property
    def kind(self) -> str:
        """Which of ``KINDS`` it is."""
        return next(kind for kind in KINDS if getattr(self, kind))


class Script(BaseModel):
    """What a person says, and the steps that serve it.

    Args:
        says: their words.
        intents: what it shows, free words.
        lab: name of the lab it begins with, for whoever keeps several.
        instead: where the wish cannot be had from here, what the person is told to do.
        steps: done in this order.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    says: str
    intents: list[str] = []
    lab: str = ""
    instead: str = ""
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


def filled(value: Any, saved: Mapping[str, Any]) -> Any:
    """The value with each ``{name}`` that was saved in its place; others stay as they are.

    A value that is nothing but a name becomes what was saved, a number as a number.
    """
    if isinstance(value, str):
        if (whole := re.fullmatch(r"\{(\w+)\}", value)) and whole[1] in saved:
            return saved[whole[1]]
        return re.sub(r"\{(\w+)\}", lambda m: str(saved.get(m[1], m[0])), value)
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
        if isinstance(wanted, dict) and wanted.keys() <= CONDITIONS:
            text = "\n".join(_lines(is_there))
            found += [f"{path} does not hold {w!r}" for w in _many(wanted.get("contains")) if w not in text]
            found += [f"{path} holds {w!r}" for w in _many(wanted.get("lacks")) if w in text]
            if some := _many(wanted.get("some")):
                found += [] if any(w in text for w in some) else [f"{path} holds none of {some!r}"]
            if "any" in wanted and is_there not in wanted["any"]:
                found.append(f"{path} is {is_there!r}, none of {wanted['any']!r}")
            if "above" in wanted and not (_is_number(is_there) and is_there > wanted["above"]):
                found.append(f"{path} is {is_there!r}, not above {wanted['above']!r}")
            if "has" in wanted and not _has(is_there, wanted["has"]):
                found.append(f"{path} has no entry with {wanted['has']!r}: {str(is_there)[:300]}")
        elif is_there != wanted:
            found.append(f"{path} is {is_there!r}, not {wanted!r}")
    return found


def astray(step: Step, text: str, what: str) -> list[str]:
    """What a text does not hold of what the step says, a sentence each; ``what`` names the text."""
    problems = [f"{what} does not hold {w!r}" for w in step.contains if w not in text]
    return problems + [f"{what} holds {w!r}" for w in step.lacks if w in text]


def edited(step: Step, before: str) -> str:
    """What a file is after the person's edit. Raises InvalidInput (code ``bad_script``): nothing to replace."""
    after = before
    for old, new in step.replace.items():
        if old not in after:
            raise InvalidInput(f"{step.write} does not hold {old!r}.", hint="See what is there.", code="bad_script")
        after = after.replace(old, new)
    return before + step.append if step.append else after if step.replace else step.text


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _has(value: Any, wanted: Mapping[str, Any]) -> bool:
    """Whether an entry of a list is as wanted; what is wanted of a part may be a condition."""
    entry = Step.model_construct(tool="entry", expect=dict(wanted))
    return isinstance(value, list) and any(not unmet(entry, one) for one in value)


def _lines(value: Any) -> list[str]:
    """What is there as plain lines, without a notation's quotes: ``key: value`` and the items of lists."""
    if isinstance(value, dict):
        return [line for key, inner in value.items() for line in _entry(str(key), _lines(inner))]
    if isinstance(value, list):
        return [line for inner in value for line in _lines(inner)]
    if value is None or isinstance(value, bool):
        return [{None: "null", True: "true", False: "false"}[value]]
    return [str(value)]


def _entry(key: str, lines: list[str]) -> list[str]:
    return [f"{key}: {lines[0]}", *lines[1:]] if lines else [f"{key}:"]


def _many(words: Any) -> list[str]:
    return [words] if isinstance(words, str) else list(words or ())
