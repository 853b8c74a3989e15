"""The lab's files as edits would leave them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from homelab_mcp.model.lab import COMPOSE_NAMES, OVERRIDE_NAMES
from homelab_mcp.model.observed import StackFiles
from homelab_mcp.model.plan import FileEdit


def reader_after(read: Callable[[str], str | None], edits: Sequence[FileEdit]) -> Callable[[str], str | None]:
    """``read``, with the edits seen as done."""
    texts = {e.path: e.after for e in edits}
    return lambda path: texts[path] if path in texts else read(path)


def stacks_after(
    stacks: Sequence[StackFiles], edits: Sequence[FileEdit], read: Callable[[str], str | None] = lambda _: None
) -> tuple[StackFiles, ...]:
    """The stacks after the edits, sorted by name; one whose compose file goes is gone, a new compose file makes one.

    ``read`` gives a file as it is: a stack that is made may find an ``.env`` that was there already.
    """
    found = {s.name: s for s in stacks}
    for edit in edits:
        name, _, rest = edit.path.partition("/")
        stack = found.get(name)
        if stack is not None and edit.path == stack.compose_path:
            if edit.after is None:
                del found[name]
            else:
                found[name] = replace(stack, compose_text=edit.after)
        elif stack is None and rest in COMPOSE_NAMES and edit.after is not None:
            made = StackFiles(name, edit.path, edit.after)
            found[name] = replace(made, env_text=read(made.env_path) or "")
        elif stack is not None and rest in OVERRIDE_NAMES:
            found[name] = replace(stack, others=_with(stack.others, edit))
    for edit in edits:
        stack = found.get(edit.path.partition("/")[0])
        if stack is not None and edit.path == stack.env_path:
            found[stack.name] = replace(stack, env_text=edit.after or "")
    for name, stack in found.items():
        if texts := {e.path: e.after for e in edits if e.path in dict(stack.named)}:
            named = ((path, texts.get(path, text)) for path, text in stack.named)
            found[name] = replace(stack, named=tuple((path, text) for path, text in named if text is not None))
    return tuple(found[name] for name in sorted(found))


def _with(others: Sequence[tuple[str, str]], edit: FileEdit) -> tuple[tuple[str, str], ...]:
    """The override files after an edit of one; Compose takes the first there is."""
    texts = {path: text for path, text in others if path != edit.path}
    if edit.after is not None:
        texts[edit.path] = edit.after
    order = [path for name in OVERRIDE_NAMES for path in texts if path.endswith(f"/{name}")]
    return tuple((path, texts[path]) for path in order[:1])
