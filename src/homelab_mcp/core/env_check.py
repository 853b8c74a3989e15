"""What is wrong with a lab's variables: missing, empty, unused, malformed, weak, used twice. No value is told."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from homelab_mcp.core.env_report import GLOBAL, EnvVariable, StackEnv
from homelab_mcp.core.known_passwords import everybody_knows

SHORT = 12
"""Characters below which a secret of one's own counts as weak (OWASP Authentication Cheat Sheet asks for more than 8
with a second factor, 15 without)."""

_RESERVED = re.compile(r"^(COMPOSE|DOCKER)_")
_ORDER = ("error", "warning", "info")


@dataclass(frozen=True, slots=True)
class EnvProblem:
    """One problem: ``level`` error, warning or info; ``kind`` a word for programs; ``fix`` what to do."""

    level: str
    kind: str
    stack: str
    name: str
    text: str
    fix: str


def env_problems(shared: StackEnv, stacks: Mapping[str, StackEnv]) -> list[EnvProblem]:
    """Everything that is wrong, the worst first, then by stack and name."""
    found: list[EnvProblem] = []
    for one in (shared, *stacks.values()):
        if one.problem:
            fix = "Correct the file; validate_compose says where."
            found.append(EnvProblem("error", "malformed", one.stack, "", one.problem, fix))
        for variable in one.variables:
            found += _of(variable, (one.values or {}).get(variable.name, ""))
    found += _shadowed(shared, stacks)
    found += _twice(stacks)
    return sorted(found, key=lambda p: (_ORDER.index(p.level), p.stack, p.name, p.kind))


def _of(one: EnvVariable, value: str) -> Iterator[EnvProblem]:
    set_it = f"homelab-mcp env set {one.stack} {one.name}"
    who = ", ".join(one.used_by[:5])
    if one.state == "unset":
        level = "error" if one.required else "warning"
        text = f"{who} uses it, and it has no value."
        yield EnvProblem(level, "unset", one.stack, one.name, text, f"Set it: {set_it}")
    elif one.state == "empty" and one.required:
        yield EnvProblem("error", "empty", one.stack, one.name, f"{who} needs a value.", f"Set it: {set_it}")
    elif not one.used_by:
        text = "Nothing in the lab uses it." if one.stack == GLOBAL else "Nothing in the stack uses it."
        fix = "Remove it, unless a program reads the file itself."
        yield EnvProblem("info", "unused", one.stack, one.name, text, fix)
    if _RESERVED.match(one.name):
        text = "Docker and Compose take it as a setting of their own."
        yield EnvProblem("warning", "reserved", one.stack, one.name, text, "Use another name, unless it is meant so.")
    if value and one.source == ("global" if one.stack == GLOBAL else "stack"):
        yield from _value(one, value, set_it)


def _value(one: EnvVariable, value: str, set_it: str) -> Iterator[EnvProblem]:
    declared = one.declared
    if declared and declared.choices and value not in declared.choices:
        text = f"It is none of {', '.join(declared.choices)}."
        yield EnvProblem("error", "malformed", one.stack, one.name, text, f"Set it: {set_it}")
    elif declared and declared.pattern and not re.fullmatch(declared.pattern, value):
        text = f"It has not the form it needs: {declared.description}"
        yield EnvProblem("error", "malformed", one.stack, one.name, text, f"Set it: {set_it}")
    if not one.secret:
        return
    if everybody_knows(value) or value.lower() == one.name.lower():
        text = "It is a placeholder, or a password that everybody tries."
        yield EnvProblem(
            "error",
            "known",
            one.stack,
            one.name,
            text,
            f"Make a new one: homelab-mcp env rotate {one.stack} {one.name}",
        )
    elif (len(value) < SHORT and not value.isdecimal()) or len(set(value)) < 5:
        text = f"It has fewer than {SHORT} characters, or repeats the same few."
        yield EnvProblem(
            "warning",
            "weak",
            one.stack,
            one.name,
            text,
            f"Make a new one: homelab-mcp env rotate {one.stack} {one.name}",
        )


def _shadowed(shared: StackEnv, stacks: Mapping[str, StackEnv]) -> Iterator[EnvProblem]:
    for one in stacks.values():
        for name, value in (one.values or {}).items():
            other = (shared.values or {}).get(name)
            if other is not None:
                same = other == value
                text = "global.env has it too, " + ("with the same value." if same else "with another value.")
                fix = "Remove it here, so that there is one place." if same else "Remove one, unless that is meant."
                yield EnvProblem("info", "shadows", one.stack, name, text, fix)


def _twice(stacks: Mapping[str, StackEnv]) -> Iterator[EnvProblem]:
    """Secrets with one value in several stacks: whoever learns one has all of them."""
    places: dict[str, list[EnvVariable]] = {}
    for one in stacks.values():
        for variable in one.variables:
            value = (one.values or {}).get(variable.name, "")
            if variable.secret and len(value) >= 6:
                places.setdefault(hashlib.sha256(value.encode()).hexdigest(), []).append(variable)
    for found in places.values():
        if len({v.stack for v in found}) < 2:
            continue
        where = ", ".join(f"{v.stack}/{v.name}" for v in found[:6])
        first = found[0]
        text = f"The same secret is in {where}."
        fix = "Give each its own, or keep it once in global.env where it must be the same."
        yield EnvProblem("warning", "shared", first.stack, first.name, text, fix)
