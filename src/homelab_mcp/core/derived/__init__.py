"""Files that follow from what the lab is, made anew by every plan: nobody has to remember them.

An operation says what it changes; what else must then change is derived from the lab as it would be. A derivation is
one pure function in a module of its own, listed in ``core/derived/listed.py``. It owns its files whole: what a person
is to write belongs in another file. It yields nothing for a file that is to stay as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from homelab_mcp.core.operations.lab_view import LabView
from homelab_mcp.core.operations.stack_paths import Root
from homelab_mcp.model.definition import ServiceDefinition
from homelab_mcp.model.lab import LabSettings
from homelab_mcp.model.observed import Snapshot, StackFiles


@dataclass(frozen=True, slots=True)
class LabAfter:
    """The lab as a draft would leave it.

    Args:
        snapshot: its stacks' files; containers are as they are now.
        settings: its settings.
        view: its services.
        read: the text of any of its files, or None.
        find: a definition by id, None where the catalog has none.
        roots: its absolute path; all of its names where a link leads to it.
        before: its stacks as they are now.
    """

    snapshot: Snapshot
    settings: LabSettings
    view: LabView
    read: Callable[[str], str | None]
    find: Callable[[str], ServiceDefinition | None]
    roots: Root
    before: tuple[StackFiles, ...] = ()


@dataclass(frozen=True, slots=True)
class DerivedFile:
    """One file as it must be.

    Args:
        path: relative to the lab's root.
        text: its whole text; None where there must be no such file.
        why: one sentence for the plan.
        mode: permission bits where it is made.
        restart: (stack, service) pairs that read it only when they start.
        recreate: (stack, service) pairs that have it only once Compose makes their containers anew.
        label: name and value of a label by which such a container says that it was made with this text.
        risk: what a person should weigh before this text is written; "" for nothing.
    """

    path: str
    text: str | None
    why: str
    mode: int = 0o644
    restart: tuple[tuple[str, str], ...] = ()
    recreate: tuple[tuple[str, str], ...] = ()
    label: tuple[str, str] = ("", "")
    risk: str = ""


Derivation = Callable[[LabAfter], Iterable[DerivedFile]]


def derive(lab: LabAfter, derivations: Iterable[Derivation]) -> Iterator[DerivedFile]:
    """Every file whose text is not what it must be."""
    return (file for file in every(lab, derivations) if lab.read(file.path) != file.text)


def every(lab: LabAfter, derivations: Iterable[Derivation]) -> Iterator[DerivedFile]:
    """Every file that follows from what the lab is."""
    for derivation in derivations:
        yield from derivation(lab)
