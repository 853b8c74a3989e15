"""Variables of a stack's ``.env`` that a removal leaves unused, and who may read the file all the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from homelab_mcp.core import env_file
from homelab_mcp.core.compose_meaning import read
from homelab_mcp.core.env_report import names_beside_services, reads_env_file, used_names
from homelab_mcp.core.operations.lab_view import LabView
from homelab_mcp.core.operations.stack_as_one import why_unseen
from homelab_mcp.core.operations.stack_paths import Declared, Near, Root, declared_by
from homelab_mcp.model.observed import StackFiles
from homelab_mcp.model.plan import FileEdit


@dataclass(frozen=True, slots=True)
class Unused:
    """``names`` that nobody who stays uses; ``readers`` (``stack/service``) may be given all of the file.

    ``read`` are those that would be among ``names`` without the readers.
    """

    names: tuple[str, ...] = ()
    readers: tuple[str, ...] = ()
    read: tuple[str, ...] = ()


def unused(
    stack: StackFiles,
    services: Mapping[str, Any],
    going: Sequence[str],
    lab: LabView,
    env: Mapping[str, str],
    *,
    root: Root = "",
    but: frozenset[str] = frozenset(),
) -> Unused:
    """Variables of ``.env`` that only these services use, as far as that can be told.

    Args:
        stack: the services' stack.
        services: all of its services.
        going: those that go.
        lab: everybody.
        env: the stack's variables.
        root: the lab's on its machine.
        but: names that are left out.
    """
    if why_unseen(stack):
        return Unused()
    staying = {name: s for name, s in services.items() if name not in going}
    used = {n for s in staying.values() for n in used_names(s)}
    # Without a service the file goes, and all else that it says.
    used |= names_beside_services(read(stack.compose_text)) if staying else set()
    gone = {n for name in going for n in used_names(services[name])} - used - but
    names = tuple(sorted(gone & env_file.parse_or_empty(stack.env_text).keys()))
    here = Near(stack.name, env, root, declared_by(stack))
    all_staying = (
        *((f"{stack.name}/{name}", s, here) for name, s in staying.items()),
        *((s.where, s.data, Near(s.stack, s.env, root, Declared())) for s in lab.services if s.stack != stack.name),
    )
    readers = tuple(where for where, s, near in all_staying if _reads(s, near, stack))
    return Unused((), readers, names) if readers else Unused(names)


def _reads(service: Any, near: Near, stack: StackFiles) -> bool:
    """Whether it is given the stack's ``.env``, or mounts that or the stack's folder: a container reads it there."""
    if any(near.place(source) in (stack.env_path, stack.name) for source in near.sources(service)):
        return True
    return reads_env_file(service, near.stack, stack.env_path, near.env, near.root)


def edit(stack: StackFiles, found: Unused) -> Iterator[FileEdit]:
    """The edit that takes them out of the file."""
    if found.names:
        after = env_file.remove(stack.env_text, found.names)
        yield FileEdit(stack.env_path, stack.env_text, after, mode=0o600, secret=True)


def notes(stack: StackFiles, found: Unused, *, delete: bool) -> Iterator[str]:
    """What becomes of them."""
    if found.names and delete:
        yield f"Variables that go from {stack.env_path}: {', '.join(found.names)}. The undo record keeps their values."
    elif found.names:
        yield f"Values in {stack.env_path} stay, though nothing uses them now: {', '.join(found.names)}."
    elif found.read and delete:
        yield (
            f"Variables stay in {stack.env_path}, as {', '.join(found.readers)} may read that file "
            f"(env_file or a mount): {', '.join(found.read)}."
        )
