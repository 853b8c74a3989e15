"""Operations on stacks of several files: each change goes into the file that says it.

An operation sees every stack written out as one file, which is what Compose makes of compose, override, included and
extended files. What it makes of that text is then made in the files themselves: by the same operation on one file
alone, else by edits of what differs. Either is judged by what Compose would make of all files then, of this stack and
of the others that take the same file. What no file can give is refused, with the place and a way out.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Concatenate, ParamSpec

from homelab_mcp.core import compose_edit, yaml_span
from homelab_mcp.core.compose_meaning import read, same
from homelab_mcp.core.operations.service_parts import elsewhere, line_of, refuse_elsewhere
from homelab_mcp.core.operations.spread import means, spread, without_records
from homelab_mcp.core.operations.stack_as_one import (
    alone,
    files_of,
    may_write,
    merged,
    services_said,
    with_texts,
    written_out,
)
from homelab_mcp.model.errors import HomelabError, InvalidInput
from homelab_mcp.model.observed import Snapshot, StackFiles
from homelab_mcp.model.plan import Draft, FileEdit

_P = ParamSpec("_P")
_MORE = "this cannot be changed there without changing more."


def in_its_files(operation: Callable[Concatenate[Snapshot, _P], Draft]) -> Callable[Concatenate[Snapshot, _P], Draft]:
    """The operation, with its edits made in the files that say what is changed.

    Raises, beside what the operation does:
        NotFound: no file can have the change (``service_elsewhere``).
        InvalidInput: it would reach another stack that takes the same file (``file_shared``).
    """

    @functools.wraps(operation)
    def made(snapshot: Snapshot, /, *args: _P.args, **kwargs: _P.kwargs) -> Draft:
        return _made(snapshot, lambda seen: operation(seen, *args, **kwargs))

    return made


@dataclass(slots=True)
class _Files:
    """The edits on their way: texts of files as they will be, drafts that had the whole change in one file."""

    texts: dict[str, str] = field(default_factory=dict)
    drafts: list[Draft] = field(default_factory=list)
    wanted: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    services: dict[str, list[str]] = field(default_factory=dict)


def _made(snapshot: Snapshot, operation: Callable[[Snapshot], Draft]) -> Draft:
    several = {s.name: whole for s in snapshot.stacks if (whole := written_out(s)) is not None}
    if not several:
        return operation(snapshot)
    seen = replace(snapshot, stacks=tuple(several.get(s.name, s) for s in snapshot.stacks))
    draft = operation(seen)
    stacks = {s.compose_path: s for s in snapshot.stacks if s.name in several}
    files = _Files()
    rest: list[FileEdit] = []
    for edit in draft.edits:
        stack = stacks.get(edit.path)
        if stack is None:
            rest.append(edit)
        elif edit.after is None:
            # Nothing of it is left: whether its other files may stay behind is judged with the plan.
            rest.append(FileEdit(edit.path, stack.compose_text, None))
        else:
            _place(seen, operation, stack, replace(several[stack.name], compose_text=edit.after), files)
    if twice := sorted({e.path for e in rest} & files.texts.keys()):
        raise InvalidInput(
            f"{twice[0]} would be changed for its own stack and for one that takes it.",
            code="file_shared",
            hint="Change one of the two, apply it, then the other.",
        )
    notes = tuple(_judged(snapshot, files))
    now = {path: text for s in stacks.values() for path, text in files_of(s)}
    edits = [FileEdit(p, now[p], text) for p, text in files.texts.items() if text != now[p]]
    return replace(draft, edits=(*edits, *(_as_written(e, files.drafts) for e in rest)), notes=(*notes, *draft.notes))


def _place(
    seen: Snapshot, operation: Callable[[Snapshot], Draft], stack: StackFiles, whole: StackFiles, files: _Files
) -> None:
    """Add the texts of the stack's files that come to ``whole``."""
    wanted = files.wanted[stack.name] = without_records(merged(whole))
    stack = with_texts(stack, files.texts)
    before = without_records(merged(stack))
    differing = files.services[stack.name] = _differing(before, wanted)
    starts: list[StackFiles] = []
    for path in _candidates(stack, differing):
        try:
            draft, after = _in_one(seen, operation, stack, path)
        except HomelabError:
            continue
        found = with_texts(stack, {path: after})
        if means(found, wanted):
            files.drafts.append(draft)
            files.texts[path] = after
            return
        starts.append(found)
    for start in (*starts, stack):
        if found_all := spread(start, wanted):
            was = dict(files_of(stack))
            files.texts |= {path: text for path, text in files_of(found_all) if text != was[path]}
            return
    raise _nowhere(stack, differing)


def _candidates(stack: StackFiles, services: list[str]) -> list[str]:
    """Files that speak of one of these services, nearest first; the compose file where there is none."""
    found = [p for p, t in files_of(stack) if may_write(p) and not services_said(t).keys().isdisjoint(services)]
    return list(dict.fromkeys(found)) or [stack.compose_path]


def _in_one(seen: Snapshot, operation: Callable[[Snapshot], Draft], stack: StackFiles, path: str) -> tuple[Draft, str]:
    """The operation on one file of the stack as if there were no other: its draft, and the file's text then."""
    one = alone(stack, path)
    draft = operation(replace(seen, stacks=tuple(one if s.name == one.name else s for s in seen.stacks)))
    edit = next((e for e in draft.edits if e.path == path), None)
    if edit is None:
        return draft, one.compose_text
    if edit.after is not None:
        return draft, edit.after
    # Its last service goes; the file stays, as others name it.
    emptied = compose_edit.remove_services(one.compose_text, services_said(one.compose_text))
    return draft, yaml_span.fold(emptied, "services")


def _differing(before: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    old, new = before.get("services") or {}, wanted.get("services") or {}
    return [n for n in {**old, **new} if n not in old or n not in new or not same(old[n], new[n])]


def _judged(snapshot: Snapshot, files: _Files) -> Iterator[str]:
    """Where it is made, for the person. Raises InvalidInput (``file_shared``) where it reaches a stack unasked."""
    for stack in snapshot.stacks:
        paths = [p for p, t in files_of(stack) if p in files.texts and files.texts[p] != t]
        if not paths:
            continue
        wanted = files.wanted.get(stack.name)
        now = merged(stack)
        after = with_texts(stack, files.texts)
        if wanted is not None and means(after, wanted):
            for path in (p for p in paths if p != stack.compose_path):
                yield f"Stack {stack.name} is changed in {path}, which says it."
        elif now is None or wanted is not None or not means(after, without_records(now)):
            raise _shared(snapshot, stack, paths[0], files)
        else:
            yield f"Stack {stack.name} takes {', '.join(paths)} too; nothing changes for it."


def _shared(snapshot: Snapshot, other: StackFiles, path: str, files: _Files) -> InvalidInput:
    stack = next(s for s in snapshot.stacks if s.name in files.wanted and s.name != other.name)
    text = dict(files_of(stack)).get(path, "")
    name = next((n for n in files.services[stack.name] if line_of(text, n)), "")
    told = f"{name} of stack {stack.name} stands in {path}, line {line_of(text, name)}"
    told = told if name else f"It is said in {path}"
    return InvalidInput(
        f"{told}, which stack {other.name} takes too: the change would reach both.",
        code="file_shared",
        hint="Edit it there for both, then `homelab-mcp review` shows and adopts it. Or copy its lines into "
        f"{stack.compose_path}, and ask again.",
    )


def _nowhere(stack: StackFiles, services: list[str]) -> HomelabError:
    for name in services:
        try:
            refuse_elsewhere(stack, name, _MORE)
        except HomelabError as refused:
            return refused
    name = services[0] if services else ""
    place = next(
        (f"{p}, line {line_of(t, name)}" for p, t in files_of(stack) if p != stack.compose_path and line_of(t, name)),
        "",
    )
    told = f"{name} of stack {stack.name} stands in {place or 'several files'} too; {_MORE}"
    return elsewhere(stack, told)


def _as_written(edit: FileEdit, drafts: list[Draft]) -> FileEdit:
    """The edit of another file with the lines as their author wrote them, where they mean the same."""
    for draft in drafts:
        other = next((e for e in draft.edits if e.path == edit.path), None)
        if other is None or other.after is None or edit.after is None or other.secret or edit.secret:
            continue
        try:
            if same(read(other.after), read(edit.after)):
                return other
        except HomelabError:
            continue
    return edit
