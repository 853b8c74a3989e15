"""What follows files being put in place as they are: which containers of which stacks go, come back or are made anew.

A file may decide over several stacks, and stand in the folder of none of them: what their files name by ``include``,
``extends`` and ``env_file`` is looked for in the lab as it is and as it will be.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from homelab_mcp.core.after import reader_after, stacks_after
from homelab_mcp.core.compose_meaning import same
from homelab_mcp.core.compose_model import is_external
from homelab_mcp.core.env_file import parse_or_empty
from homelab_mcp.core.env_report import uses
from homelab_mcp.core.operations.stack_as_one import services_as_one
from homelab_mcp.core.stack_texts import loaded, named_paths
from homelab_mcp.core.yaml12 import YamlRefused, load
from homelab_mcp.model.errors import HomelabError
from homelab_mcp.model.lab import SHARED_ENV
from homelab_mcp.model.observed import StackFiles
from homelab_mcp.model.plan import ActionKind, EngineAction, FileEdit, Verification

Read = Callable[[str], str | None]

_NAMING = ("include", "extends", "env_file", "label_file")


@dataclass(frozen=True, slots=True)
class _Side:
    """A stack before or after the edits; all empty where it is not there.

    Args:
        alone: its compose file.
        merged: all its files as one, as Compose sees them; None where that is not wholly known.
        own: paths of its compose and override files.
        named: further paths that Compose reads for it.
    """

    alone: Mapping[str, Any] = field(default_factory=dict)
    merged: Mapping[str, Any] | None = field(default_factory=dict)
    own: frozenset[str] = frozenset()
    named: frozenset[str] = frozenset()


def containers_back(
    edits: Sequence[FileEdit], stacks: Sequence[StackFiles] = (), read: Read = lambda path: None
) -> tuple[tuple[EngineAction, ...], tuple[Verification, ...]]:
    """What follows files being put back: what only the present ones have goes, what changed comes up; each verified.

    Args:
        edits: the files, as they are and as they will be.
        stacks: the lab's, as they are; one that none of them is, is taken from the edits of its compose file.
        read: a file's text now.
    """
    # What is there now by the edits' own word, for stacks that nobody told of.
    present = stacks_after(stacks, [FileEdit(e.path, e.after, e.before, e.mode) for e in edits])
    coming = stacks_after(present, edits)
    now_read = reader_after(read, [FileEdit(e.path, e.after, e.before, e.mode) for e in edits])
    then_read = reader_after(read, edits)
    old, new = ({s.name: s for s in side} for side in (present, coming))
    actions: list[EngineAction] = []
    verifications: list[Verification] = []
    for name in sorted(old.keys() | new.keys()):
        sides = [s for s in (old.get(name), new.get(name)) if s is not None]
        if not _may_touch(edits, name, sides):
            continue
        plain = not any(_names_files(s) for s in sides)
        now, then = (_side(s.get(name), r, plain=plain) for s, r in ((old, now_read), (new, then_read)))
        found = _of_stack(name, edits, now, then)
        actions += found[0]
        verifications.append(found[1])
    shared = next((e for e in edits if e.path == SHARED_ENV), None)
    if shared is not None:
        for up in _of_shared_env(shared, coming, {a.stack for a in actions if a.kind is ActionKind.UP}):
            actions.append(up)
            verifications.append(Verification(up.stack, up.services))
    return tuple(actions), tuple(v for v in verifications if v.services or v.gone)


def _may_touch(edits: Sequence[FileEdit], name: str, sides: Sequence[StackFiles]) -> bool:
    """Whether the stack's files are worth reading as one: by paths and words alone, for labs of many stacks."""
    named = {path for s in sides for path, _ in s.named}
    folders = {posixpath.dirname(path) for path in named}
    texts = [t for s in sides for t in (s.compose_text, *(text for _, text in (*s.others, *s.named)))]
    for edit in edits:
        folder, _, base = edit.path.rpartition("/")
        if edit.path.startswith(f"{name}/") or edit.path in named or folder in folders:
            return True
        words = f"{posixpath.basename(folder)}/{base}" if folder else base
        if any(words in text for text in texts):
            return True
    return False


def _names_files(stack: StackFiles) -> bool:
    return bool(stack.others) or any(word in stack.compose_text for word in _NAMING)


def _of_stack(name: str, edits: Sequence[FileEdit], old: _Side, new: _Side) -> tuple[list[EngineAction], Verification]:
    own, named = old.own | new.own, old.named | new.named
    touched = {e.path for e in edits if e.path.startswith(f"{name}/") or e.path in own | named}
    if not touched:
        return [], Verification()
    known = old.merged is not None and new.merged is not None
    # Never one of them in part: what is unknown in it would seem to come or to go.
    was, will = (old.merged or {}, new.merged or {}) if known else (old.alone, new.alone)
    now, then = _mapping(was, "services"), _mapping(will, "services")
    added = tuple(s for s in now if s not in then)
    back = tuple(s for s in then if s not in now or not same(now[s], then[s]))
    # Variables, files beside the compose file, and what cannot be read as one: Compose tells who has to be made anew.
    settled = known and touched <= own | _compose_named(edits, named)
    whole = bool(then) and (not settled or (len(own | named) > 1 and _differ_beside(was, will)))
    actions = []
    if back:
        actions += _networks_back(was, will)
    if added:
        actions.append(EngineAction(ActionKind.REMOVE, "They were not there before that plan.", name, added))
    if back:
        actions.append(EngineAction(ActionKind.PULL, "The earlier images may be gone.", name, back))
    if back or whole:
        up = EngineAction(ActionKind.UP, "Runs them from the earlier files.", name, () if whole else back)
        actions.append(up)
    return actions, Verification(stack=name, services=back, gone=added)


def _compose_named(edits: Sequence[FileEdit], named: frozenset[str]) -> set[str]:
    """Those of the edited files that a stack names and that are compose files: what they change is seen in the data."""
    return {e.path for e in edits if e.path in named and (services_in(e.before) or services_in(e.after))}


def _differ_beside(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Whether the files differ in more than services, as in a network of theirs."""
    names = {k for k in {*old, *new} if k != "services" and not str(k).startswith("x-")}
    return any(not same(old.get(k), new.get(k)) for k in names)


def _side(stack: StackFiles | None, read: Read, *, plain: bool) -> _Side:
    """One side of a stack; ``plain``: it is one file on both, whose data is compared as it is written."""
    if stack is None:
        return _Side()
    own = frozenset({stack.compose_path, *dict(stack.others)})
    alone = _read(stack.compose_text)
    if plain:
        return _Side(alone, alone, own)
    named = frozenset(dict(stack.named))
    try:
        env = {**parse_or_empty(read(SHARED_ENV) or ""), **parse_or_empty(stack.env_text)}
        named |= {posixpath.normpath(path) for path in named_paths(stack, env, read)}
        found = loaded(stack, env, read)
    except HomelabError:
        return _Side(alone, None, own, named)
    known = found.merged is not None and not found.partial and not found.troubles
    return _Side(alone, found.merged.data if found.merged is not None and known else None, own, named)


def _of_shared_env(edit: FileEdit, stacks: Sequence[StackFiles], whole: set[str]) -> Iterator[EngineAction]:
    """Who uses a variable of the whole lab that gets another value, in stacks that do not come up anyway."""
    old, new = parse_or_empty(edit.before or ""), parse_or_empty(edit.after or "")
    changed = {n for n in {*old, *new} if old.get(n) != new.get(n)}
    for stack in stacks:
        left = changed - set(parse_or_empty(stack.env_text))
        users = tuple(n for n, s in all_services(stack).items() if uses(s, left)) if left else ()
        if users and stack.name not in whole:
            yield EngineAction(ActionKind.UP, "Variables of the whole lab are put back.", stack.name, users)


def all_services(stack: StackFiles | None) -> dict[str, Any]:
    """The services of all files of a stack with their data; none where there is no stack, or it cannot be read."""
    try:
        return services_as_one(stack) if stack is not None else {}
    except HomelabError:
        return {}


def _networks_back(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[EngineAction]:
    """Shared networks that only the restored files name: whoever left them last may have taken them away."""
    now, names = _mapping(old, "networks"), []
    for key, spec in _mapping(new, "networks").items():
        if key not in now and isinstance(spec, dict) and is_external(spec):
            names.append(str(spec.get("name") or key))
    why = "Only made where it is missing."
    return [EngineAction(ActionKind.CREATE_NETWORK, why, name=n) for n in names if "$" not in n]


def services_in(text: str | None) -> dict[str, Any]:
    """The services of a compose text with their data; none where it cannot be read."""
    return _mapping(_read(text), "services")


def _read(text: str | None) -> dict[str, Any]:
    try:
        data = load(text) if text else None
    except YamlRefused:
        return {}
    return data if isinstance(data, dict) else {}


def _mapping(data: Mapping[str, Any], section: str) -> dict[str, Any]:
    found = data.get(section)
    return {str(k): v for k, v in found.items()} if isinstance(found, dict) else {}
