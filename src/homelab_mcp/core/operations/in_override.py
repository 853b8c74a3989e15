"""Where a change of a service belongs in a stack of a compose file and an override file.

Compose merges the override file over the compose file. A change of what the override file says would not hold in the
compose file, so it is made in the override file. Each try is judged by what Compose would make of both files: it has to
be what the same change makes of the stack written out as one file. What neither file can give is left to the caller.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from homelab_mcp.core import yaml_span
from homelab_mcp.core.compose_meaning import read, same, services_of
from homelab_mcp.core.operations.service_parts import refuse_elsewhere
from homelab_mcp.core.stack_texts import loaded
from homelab_mcp.model.errors import EditRefused, HomelabError
from homelab_mcp.model.observed import StackFiles

TextAfter = Callable[[StackFiles], str]
"""Makes the change in the compose text of a stack of one file; raises HomelabError where that text cannot have it."""


@dataclass(frozen=True, slots=True)
class InOverride:
    """A change that is made in the override file.

    Args:
        whole: the stack as Compose sees it, written out as one file: what all but the edit is worked out from.
        path: the override file's.
        before: its text now.
        after: its text then.
        note: why it is made there, for the person.
    """

    whole: StackFiles
    path: str
    before: str
    after: str
    note: str


def in_override(stack: StackFiles, service: str, change: TextAfter) -> InOverride | None:
    """The change in the stack's override file; None where it belongs in the compose file, or neither can have it.

    Raises:
        NotFound: the service stands in the override file alone, which cannot have the change (``service_elsewhere``).
        InvalidInput: the change does not fit the service as both files make it.
    """
    whole = _written_out(stack) if stack.others else None
    if whole is None:
        return None
    path, before = stack.others[0]
    if service not in _services(before) or service not in _services(whole.compose_text):
        return None
    above = service in _services(stack.compose_text)
    try:
        wanted = _merged(replace(whole, compose_text=change(whole)))
    except EditRefused:
        return None
    if wanted is not None and same(wanted, _merged(stack)):
        # Both files say a variable, whose value is in the stack's .env: a try in the first would write what is hidden.
        return InOverride(whole, path, before, before, "")
    tries = ((stack.compose_path, stack.compose_text), (path, before))
    for file, text in tries if above else tries[1:]:
        try:
            after = change(replace(stack, compose_path=file, compose_text=text, others=(), named=()))
        except HomelabError:
            continue
        if file == path:
            then = replace(stack, others=((path, after), *stack.others[1:]))
        else:
            then = replace(stack, compose_text=after)
        if wanted is not None and same(_merged(then), wanted):
            why = f"which wins over {stack.compose_path}" if above else "where it stands"
            note = f"{service} is changed in {path}, {why}."
            return InOverride(whole, path, before, after, note) if file == path else None
    if not above:
        refuse_elsewhere(stack, service)
    return None


def _merged(stack: StackFiles) -> dict[str, Any] | None:
    """What Compose makes of the stack's files, variables as written; None where not all of it is known."""

    def kept(files: Sequence[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
        return tuple((path, text.replace("$", "$$")) for path, text in files)

    ((_, text),) = kept([("", stack.compose_text)])
    found = loaded(replace(stack, compose_text=text, others=kept(stack.others), named=kept(stack.named)), {})
    if found.merged is None or found.partial or found.troubles:
        return None
    # Variables are put into values alone, so keys still have their dollar signs twice.
    data: dict[str, Any] = _keys_as_written(found.merged.data)
    return data


def _keys_as_written(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(k).replace("$$", "$"): _keys_as_written(v) for k, v in value.items()}
    return [_keys_as_written(v) for v in value] if isinstance(value, list) else value


def _written_out(stack: StackFiles) -> StackFiles | None:
    """The stack as one file; None where it cannot be told what its files come to."""
    try:
        data = _merged(stack)
        text = ""
        for key, value in (data or {}).items():
            text = yaml_span.append_section(text, str(key), value)
    except HomelabError:
        return None
    return replace(stack, compose_text=text, others=(), named=()) if text else None


def _services(text: str) -> dict[str, Any]:
    try:
        return services_of(read(text))
    except HomelabError:
        return {}
