"""Where a quote or bracket that is never closed begins: YAML notices it only on a later line."""

from __future__ import annotations

import re

import yaml

_LARGEST = 60_000
"""Characters of a text that is read once more, to say a line: a larger one is told at the line of the parser."""
_AN_ENTRY = re.compile(r"[ ]*(?:-[ ]|[\w./-]+:(?:[ ]|$))")


def never_closed(text: str, line: int) -> tuple[int, int] | None:
    """Line and column (from 1) of the quote that swallowed the entries down to where the parser stumbled.

    Args:
        text: what is no YAML.
        line: where the parser gave up, from 1.

    Returns:
        None where no quoted scalar ends there, or none that holds what would be an entry of its own.
    """
    found = None
    if len(text) > _LARGEST:
        return None
    try:
        for token in yaml.scan(text, Loader=yaml.CSafeLoader):
            if token.start_mark.line >= line:
                break
            if isinstance(token, yaml.ScalarToken) and token.style in ("'", '"'):
                found = token
    except (yaml.YAMLError, ValueError):
        pass  # That it is no YAML is known; what stands before the problem has been read.
    if found is None or not found.start_mark.line < found.end_mark.line == line - 1:
        return None
    inside = text.split("\n")[found.start_mark.line + 1 : line]
    if not any(_AN_ENTRY.match(each) for each in inside):
        return None
    return found.start_mark.line + 1, found.start_mark.column + 1


_OPENS = (yaml.FlowSequenceStartToken, yaml.FlowMappingStartToken)
_CLOSES = (yaml.FlowSequenceEndToken, yaml.FlowMappingEndToken)


def is_never_closed(text: str, line: int) -> bool:
    """Whether no bracket from a line on (from 1) closes one that was opened above it.

    False too where the text cannot be read to its end: what is behind may close it.
    """
    if len(text) > _LARGEST:
        return False
    depth = 0
    try:
        for token in yaml.scan(text, Loader=yaml.CSafeLoader):
            if token.start_mark.line >= line - 1:
                depth += isinstance(token, _OPENS) - isinstance(token, _CLOSES)
            if depth < 0:
                return False
    except yaml.MarkedYAMLError as error:
        seen = error.problem_mark
        return seen is not None and seen.index >= len(text.rstrip())
    except (yaml.YAMLError, ValueError):
        return False
    return True
