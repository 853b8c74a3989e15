"""What a model of pydantic refused, in words for a person or a model: where, why, and what fits instead."""

from __future__ import annotations

from pydantic import ValidationError

_NAMES = "Names are lower-case letters, digits, - and _."
_VARIABLES = "Names of variables are letters, digits and _, and begin with no digit."
_AMOUNTS = "Amounts are such as 512M or 2G."


def misfits(error: ValidationError, *, whole: str = "input", most: int = 10) -> str:
    """The first problems, ``place: why`` each; a given value is not repeated, but a given key may be a place.

    Args:
        error: as pydantic raised it.
        whole: what stands for the place where the problem is with all of it.
        most: how many are told.
    """
    found = []
    for problem in error.errors()[:most]:
        place = ".".join(str(part) for part in problem["loc"] if part != "[key]") or whole
        # What a validator of ours says comes behind pydantic's name for its kind.
        found.append(f"{place}: {problem['msg'].removeprefix('Value error, ')}")
    return "; ".join(found)


def what_fits(error: ValidationError) -> str:
    """A hint on what would fit: in words where only a pattern says it."""
    hints = []
    for problem in error.errors():
        pattern = str(problem.get("ctx", {}).get("pattern", ""))
        if pattern.startswith("^[A-Za-z_]"):
            hints.append(_VARIABLES)
        elif pattern.startswith("^[a-z0-9]"):
            hints.append(_NAMES)
        elif "[kKmMgG]" in pattern:
            hints.append(_AMOUNTS)
    return " ".join(dict.fromkeys(hints)) or "Correct that and ask again."
