"""``${VARIABLE}`` in compose files, with every operator Compose has.

Source: Compose Specification, "Interpolation": ``$V ${V} ${V:-d} ${V-d} ${V:?e} ${V?e} ${V:+a} ${V+a} $$``; a default
or replacement may hold variables itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from homelab_mcp.model.errors import InvalidInput

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OPERATORS = (":-", ":?", ":+", "-", "?", "+")
# What nearly all are: a name, and perhaps an operator and a word without variables or braces in it.
_SIMPLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?:(:?[-?+])([^${}]*))?\}")
_BRACE = re.compile(r"\$\{|\}")
_MAX_NESTING = 20


class InterpolationInvalid(InvalidInput):
    """A ``${`` that Compose refuses; ``index`` is where in the text the outermost one begins."""

    default_code = "interpolation_invalid"
    index = 0


@dataclass(frozen=True, slots=True)
class Missing:
    """A variable without a value.

    ``required`` is set for ``:?`` and ``?``, where Compose stops; otherwise the empty text is taken.
    """

    name: str
    required: bool = False


class Interpolated(NamedTuple):
    """The text with values put in, the names it uses, and those that had no value and no default."""

    text: str
    names: tuple[str, ...] = ()
    missing: tuple[Missing, ...] = ()


def interpolate(text: str, variables: Mapping[str, str]) -> Interpolated:
    """Put variables into a text as Compose does.

    Raises:
        InterpolationInvalid: a ``${`` that is left open or holds no variable.
    """
    if "$" not in text:
        return Interpolated(text)
    run = _Run(variables)
    try:
        expanded = run.expand(text)
    except InterpolationInvalid as error:
        error.index = run.at
        raise
    return Interpolated(expanded, tuple(run.names), tuple(run.missing) if run.missing else ())


class _Run:
    """One interpolation: collects names on the way."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self.variables = variables
        self.names: dict[str, None] = {}
        self.missing: dict[Missing, None] = {}
        self.at = 0

    def expand(self, text: str, nesting: int = 0) -> str:
        out: list[str] = []
        at = 0
        while True:
            dollar = text.find("$", at)
            if dollar < 0 or nesting > _MAX_NESTING:
                out.append(text[at:])
                return "".join(out)
            out.append(text[at:dollar])
            if not nesting:
                self.at = dollar
            follows = text[dollar + 1 : dollar + 2]
            if follows == "$":
                out.append("$")
                at = dollar + 2
            elif follows == "{":
                simple = _SIMPLE.match(text, dollar)
                if simple:
                    name, operator, word = simple.groups("")
                    out.append(self._value(name, operator, word, nesting))
                    at = simple.end()
                    continue
                end = _closing(text, dollar)
                out.append(self._braced(text[dollar + 2 : end], text[dollar:], nesting))
                at = end + 1
            else:
                bare = _NAME.match(text, dollar + 1)
                # Seen with Compose 2.40.3: a lone "$" stays as it is.
                out.append(self._plain(bare.group()) if bare else "$")
                at = bare.end() if bare else dollar + 1

    def _plain(self, name: str) -> str:
        self.names[name] = None
        value = self.variables.get(name)
        if value is None:
            self.missing[Missing(name)] = None
        return value or ""

    def _braced(self, inner: str, near: str, nesting: int) -> str:
        match = _NAME.match(inner)
        if not match:
            raise _invalid(near)
        name, rest = match.group(), inner[match.end() :]
        operator = next((o for o in _OPERATORS if rest.startswith(o)), "")
        if rest and not operator:
            raise _invalid(near)
        return self._value(name, operator, rest[len(operator) :], nesting)

    def _value(self, name: str, operator: str, word: str, nesting: int) -> str:
        if not operator:
            return self._plain(name)
        self.names[name] = None
        value = self.variables.get(name)
        present = bool(value) if operator[0] == ":" else value is not None
        taken = present if operator[-1] == "+" else operator[-1] == "-" and not present
        before = dict(self.missing)
        filled = self.expand(word, nesting + 1) if "$" in word else word
        if taken:
            return filled
        # Seen with Compose 2.40.3: a word that is not taken is worked out all the same, and refused where it requires
        # a variable that is not there.
        self.missing = before | {m: None for m in self.missing if m.required}
        if operator[-1] == "?" and not present:
            self.missing[Missing(name, required=True)] = None
        return (value or "") if present and operator[-1] != "+" else ""


def _closing(text: str, dollar: int) -> int:
    """Index of the brace that closes the ``${`` at ``dollar``."""
    depth = 0
    for brace in _BRACE.finditer(text, dollar):
        depth += 1 if brace.group() == "${" else -1
        if not depth:
            return brace.start()
    raise _invalid(text[dollar:])


def _invalid(near: str) -> InterpolationInvalid:
    # What follows may be part of a secret, so only the kind of fault is told.
    fault = "is never closed" if "}" not in near else "holds no variable that Compose can read"
    return InterpolationInvalid(f"A '${{' {fault}.", hint="Double a '$' that is meant as such: '$$'.")
