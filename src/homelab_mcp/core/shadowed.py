"""Changes of a compose file that do not count, because an override or included file of the stack says otherwise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from homelab_mcp.core.brought_files import is_brought
from homelab_mcp.core.compose_meaning import read, same, services_of
from homelab_mcp.core.env_file import parse_or_empty
from homelab_mcp.core.stack_texts import loaded
from homelab_mcp.model.errors import HomelabError, InvalidInput
from homelab_mcp.model.observed import StackFiles
from homelab_mcp.model.plan import Draft

_OWN_TEXT = frozenset({"rollback", "adopt", "discard"})


def merged_services(stack: StackFiles, env: Mapping[str, str]) -> dict[str, Any]:
    """The stack's services as Compose sees them: all its files, merged; the compose file's alone where it has one.

    Raises:
        YamlRefused, EditRefused: a file that cannot be read.
    """
    own = services_of(read(stack.compose_text))
    if not (stack.others or stack.named):
        return own
    found = loaded(stack, env)
    return dict(found.merged.services) if found.merged is not None else own


def told_of_others(draft: Draft, before: Sequence[StackFiles], after: Sequence[StackFiles]) -> Draft:
    """The draft, with a note for each service it changes that another file of the stack speaks of too.

    Raises:
        InvalidInput: a change that the other file takes back, so that nothing would come of it (``override_wins``).
    """
    if draft.operation == "adopt":
        takers = tuple(_takers(draft, before))
        return replace(draft, notes=(*draft.notes, *takers))
    if draft.operation in _OWN_TEXT:
        return draft
    was = {s.name: s for s in before}
    notes = []
    for stack in after:
        old = was.get(stack.name)
        if (stack.others or stack.named) and old is not None and old.compose_text != stack.compose_text:
            notes += list(_told(old, stack))
    notes += _reached(draft, was, after)
    return replace(draft, notes=(*draft.notes, *notes)) if notes else draft


def _reached(draft: Draft, was: Mapping[str, StackFiles], after: Sequence[StackFiles]) -> Iterator[str]:
    """Stacks that take an edited file of another one, and that the draft itself leaves alone."""
    paths = {e.path for e in draft.edits}
    acted = {a.stack for a in draft.actions}
    for stack in after:
        taken = [path for path in dict(stack.named) if path in paths]
        old = was.get(stack.name)
        if not taken or old is None or stack.name in acted:
            continue
        try:
            one, two = (merged_services(s, parse_or_empty(s.env_text)) for s in (old, stack))
        except HomelabError:
            continue
        if names := [n for n in sorted({*one, *two}) if not same(one.get(n), two.get(n))]:
            yield f"Stack {stack.name} takes {', '.join(taken)} too: its next `up` changes {', '.join(names)} there."


def _takers(draft: Draft, stacks: Sequence[StackFiles]) -> Iterator[str]:
    """Stacks that take a file which is adopted with another one: their containers follow by a plan of their own."""
    paths = {e.path for e in draft.adopts}
    for stack in stacks:
        taken = [path for path in dict(stack.named) if path in paths]
        if taken and stack.name != draft.target:
            yield (
                f"Stack {stack.name} takes {', '.join(taken)} too: `homelab-mcp review {stack.name}` says whether its "
                "containers are as it says now."
            )


def _told(old: StackFiles, new: StackFiles) -> Iterator[str]:
    try:
        own = [services_of(read(s.compose_text)) for s in (old, new)]
        whole = [merged_services(s, parse_or_empty(s.env_text)) for s in (old, new)]
    except HomelabError:
        # Who cannot be read is told by the linter and refused by Compose.
        return
    for name in sorted({*own[0], *own[1]}):
        left, right = (services.get(name) for services in own)
        if same(left, right):
            continue
        files = _speaking_of(new, name)
        if not files:
            continue
        if right is None and name in whole[1]:
            raise _wins(f"{name} would stay", files)
        lost = [key for key in _changed(left, right) if same(_of(whole[0], name, key), _of(whole[1], name, key))]
        if lost:
            raise _wins(f"{', '.join(lost)} of {name} would stay as it is", files)
        files = [path for path in files if not is_brought(dict(new.others).get(path))]
        if right is not None and files:
            yield f"{', '.join(files)} speaks of {name} too, and is merged over what this plan writes."


def _changed(left: Any, right: Any) -> list[str]:
    """The keys of a service that differ, but those that only people and we read."""
    one, two = (dict(x) if isinstance(x, Mapping) else {} for x in (left, right))
    return sorted(str(k) for k in {*one, *two} if not str(k).startswith("x-") and not same(one.get(k), two.get(k)))


def _of(services: Mapping[str, Any], name: str, key: str) -> Any:
    body = services.get(name)
    return body.get(key) if isinstance(body, Mapping) else None


def _speaking_of(stack: StackFiles, service: str) -> list[str]:
    found = []
    for path, text in (*stack.others, *stack.named):
        try:
            if service in services_of(read(text)):
                found.append(path)
        except HomelabError:
            found.append(path)
    return list(dict.fromkeys(found))


def _wins(what: str, files: Sequence[str]) -> InvalidInput:
    return InvalidInput(
        f"Nothing would come of this: {what}, for {', '.join(files)} says so and wins over the compose file.",
        code="override_wins",
        hint=f"Change it in {files[0]}, or take it out there first.",
    )
