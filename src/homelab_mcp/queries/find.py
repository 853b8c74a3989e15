"""Which stack and service a person's or a model's word means."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from difflib import get_close_matches

from homelab_mcp.core.after import stacks_after
from homelab_mcp.core.diff import is_env
from homelab_mcp.core.env_file import parse_or_empty
from homelab_mcp.core.operations.stack_as_one import as_one_file
from homelab_mcp.core.stack_texts import loaded, may_name_others, named_paths
from homelab_mcp.core.status_view import declared
from homelab_mcp.core.yaml12 import YamlRefused
from homelab_mcp.model.errors import InvalidInput, NotFound
from homelab_mcp.model.lab import OVERRIDE_NAMES
from homelab_mcp.model.observed import StackFiles
from homelab_mcp.model.plan import FileEdit
from homelab_mcp.ports import Files
from homelab_mcp.queries.lab_stacks import SHARED_ENV, Beside

UNREADABLE = "\x00"
"""Stands for a compose file that is no text: no YAML reader takes it, so every judge of it says so."""


def read_stacks(files: Files) -> tuple[StackFiles, ...]:
    """Every stack's files, sorted by name. One that cannot be read keeps nobody from the others."""
    return tuple(_stack(files, name, path) for name, path in files.stack_folders())


def text_as_one(files: Files, name: str) -> str:
    """All files of the stack as the one that Compose makes of them; its compose file where not all is known."""
    path = dict(files.stack_folders()).get(name)
    return as_one_file(_stack(files, name, path)).compose_text if path else ""


def _stack(files: Files, name: str, path: str) -> StackFiles:
    text, env = _text(files, path, UNREADABLE), _text(files, f"{name}/.env", "")
    found = StackFiles(name, path, text, env, tuple(_overrides(files, name)))
    return replace(found, named=_named(Beside(files, {}), found)) if may_name_others(found) else found


def stacks_with(files: Files, stacks: Sequence[StackFiles], edits: Sequence[FileEdit]) -> tuple[StackFiles, ...]:
    """The stacks as edits would leave them, with the files that they name by then: an edit may have them take others.

    Args:
        files: the lab's folder.
        stacks: its stacks as they are.
        edits: what would be written.
    """
    was = {s.name: s for s in stacks}
    come_or_gone = any(e.before is None or e.after is None for e in edits)
    beside = Beside(files, {e.path: e.after for e in edits})

    def fresh(stack: StackFiles) -> StackFiles:
        if not may_name_others(stack):
            return replace(stack, named=()) if stack.named else stack
        if stack == was.get(stack.name) and not come_or_gone:
            return stack
        return replace(stack, named=_named(beside, stack))

    return tuple(fresh(s) for s in stacks_after(stacks, edits, files.read))


def _named(beside: Beside, stack: StackFiles) -> tuple[tuple[str, str], ...]:
    """The compose files of the lab that the stack's own ones name."""
    env = {**parse_or_empty(beside.text(SHARED_ENV)), **parse_or_empty(stack.env_text)}
    asked = ((path, beside.text(path)) for path in named_paths(stack, env, beside.read))
    return tuple((path, text) for path, text in asked if text and not is_env(path))


def _overrides(files: Files, name: str) -> Iterator[tuple[str, str]]:
    """The override file that Compose takes with the stack's own, where there is one."""
    for path in (f"{name}/{file}" for file in OVERRIDE_NAMES):
        try:
            text = files.read(path)
        except InvalidInput:
            text = UNREADABLE
        if text is not None:
            yield path, text
            return


def _text(files: Files, path: str, otherwise: str) -> str:
    try:
        return files.read(path) or ""
    except InvalidInput:
        return otherwise


def check_stack(stacks: Iterable[StackFiles], name: str) -> StackFiles:
    """The stack of that name. Raises NotFound with the nearest names."""
    known = {stack.name: stack for stack in stacks}
    if name not in known:
        raise NotFound(f"There is no stack {name[:80]!r}.", hint=nearest(name, known, "Stacks"))
    return known[name]


def find_service(files: Files, word: str, stack: str = "") -> tuple[str, str]:
    """(stack, service) for ``service``, ``stack/service`` or a container name, over the lab's files.

    Raises:
        NotFound: nothing of that name; the hint has the nearest. Said too is what these stacks take from files that
            cannot be looked at, as the service may stand there.
        InvalidInput: more than one stack has it (code ``ambiguous_service``).
    """
    stacks = read_stacks(files)
    try:
        return find_in(stacks, word, stack)
    except NotFound as error:
        scope = stack or word.partition("/")[0] if "/" in word or stack else ""
        unseen = [told for s in stacks if scope in ("", s.name) for told in _unseen(files, s)]
        if not unseen:
            raise
        hint = f"{error.hint} A service of such a file is changed there by hand, or moved into the lab first."
        raise NotFound(f"{error.message} {' '.join(unseen[:3])}", hint=hint.strip(), code=error.code) from error


def _unseen(files: Files, stack: StackFiles) -> Iterator[str]:
    """What the stack takes from files that cannot be looked at, with the place that names them."""
    if not may_name_others(stack):
        return
    found = loaded(stack, parse_or_empty(stack.env_text), Beside(files, {}).read)
    for trouble in found.troubles:
        if trouble.kind.value == "unseen":
            yield f"{trouble.file}, line {trouble.mark.line}: {trouble.message}"


def find_in(stacks: Iterable[StackFiles], word: str, stack: str = "") -> tuple[str, str]:
    """As :func:`find_service`, over stacks that were read already."""
    stacks = tuple(stacks)
    if stack:
        check_stack(stacks, stack)
    elif "/" in word:
        stack, _, word = word.partition("/")
        check_stack(stacks, stack)
    exact: list[tuple[str, str]] = []
    by_container: list[tuple[str, str]] = []
    known: set[str] = set()
    for one in stacks:
        if stack and one.name != stack:
            continue
        try:
            services = declared(one)
        except YamlRefused:
            continue
        for service in services:
            known.add(service.service)
            if service.service == word:
                exact.append((one.name, word))
            elif word.lower() in {service.service.lower(), service.container_name.lower()}:
                by_container.append((one.name, service.service))
    found = exact or by_container
    if len(found) == 1:
        return found[0]
    if found:
        places = ", ".join(f"{s}/{name}" for s, name in found[:10])
        raise InvalidInput(
            f"More than one stack has a service {word[:80]!r}: {places}.",
            hint="Name the stack too.",
            code="ambiguous_service",
            details={"candidates": [list(pair) for pair in found[:10]]},
        )
    where = f" in stack {stack}" if stack else " in this lab"
    raise NotFound(f"There is no service {word[:80]!r}{where}.", hint=nearest(word, known, "Services"))


def nearest(word: str, known: Iterable[str], title: str) -> str:
    """A hint with the nearest names, or the first few of all."""
    names = sorted(known)
    close = get_close_matches(word[:80].lower(), names, n=3)
    if close:
        return f"Did you mean {', '.join(close)}?"
    if not names:
        return f"{title}: none yet."
    return f"{title}: {', '.join(names[:15])}{' and more' if len(names) > 15 else ''}."
