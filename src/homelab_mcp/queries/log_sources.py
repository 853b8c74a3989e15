"""Which logs a question is about: containers, and the files that their services write beside them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import takewhile

from homelab_mcp.core.labels import made_from
from homelab_mcp.core.stack_owner import owner, owners
from homelab_mcp.core.status_view import declared
from homelab_mcp.core.yaml12 import YamlRefused
from homelab_mcp.model.definition import ServiceDefinition
from homelab_mcp.model.errors import InvalidInput, NotFound
from homelab_mcp.model.observed import ContainerState, StackFiles
from homelab_mcp.ports import Lab, LogSource
from homelab_mcp.queries.find import check_stack, find_in, nearest

MOST_CONTAINERS = 60
_HEADS = ("Date: ", "Recipient: ", "Subject: ")
_NOTICE_LINES = 10_000
"""More than a notice has, as its head is its beginning."""


def containers_of(
    stacks: tuple[StackFiles, ...],
    running: Sequence[ContainerState],
    root: str,
    services: Sequence[str],
    stack: str,
) -> list[ContainerState]:
    """The containers of these services, of the stack where none is named, of the whole lab where neither is.

    Raises:
        NotFound: no such stack or service, or it has no container.
        InvalidInput: more than are read at once, or a name that several stacks have.
    """
    whose = owners(stacks, root)
    placed = [(whose(c), c) for c in running]
    if not services:
        return _few(_all_of(stacks, placed, stack))
    found: list[ContainerState] = []
    for word in services:
        try:
            place = find_in(stacks, word, stack)
        except NotFound:
            place = _undeclared(placed, word, stack) or _none_of(stacks, placed, word, stack)
        here = [c for name, c in placed if (name, c.service) == place]
        if not here:
            raise NotFound(f"{'/'.join(place)} has no container.", hint="It was never started, or was removed.")
        found += [c for c in here if c not in found]
    return _few(found)


def files_of(lab: Lab, container: ContainerState, stacks: Sequence[StackFiles]) -> tuple[str, ...]:
    """Log files that the container's service writes in the lab, as its definition names them, and that are there.

    A path that leads out of the service's own folder is none of them.
    """
    definition = definition_of(lab, container)
    return _there(lab, container, stacks, definition.logs) if definition else ()


def notices_of(lab: Lab, container: ContainerState, stacks: Sequence[StackFiles]) -> tuple[str, ...]:
    """The file of notices to people that the container's service writes, as :func:`files_of`; none or one."""
    definition = definition_of(lab, container)
    return _there(lab, container, stacks, [definition.notices]) if definition and definition.notices else ()


def heads(source: LogSource) -> LogSource:
    """A file of notices without what was written: its codes and links are as good as a password.

    Source: authelia/authelia internal/notification/file_notifier.go: the newest notice alone, which begins with its
    date, whom it is to and what it is about, a line each.
    """

    def lines(*, tail: int, since: float | None = None, until: float | None = None) -> Iterator[tuple[str, str, str]]:
        rows = source(tail=_NOTICE_LINES, since=since, until=until)
        beginning = zip(rows, _HEADS, strict=False)
        told = [row for row, _ in takewhile(lambda pair: pair[0][2].startswith(pair[1]), beginning)]
        yield from told[-tail:]

    return lines


def _there(lab: Lab, container: ContainerState, stacks: Sequence[StackFiles], names: Sequence[str]) -> tuple[str, ...]:
    stack = owner(container, stacks, lab.files.root)
    if not any(one.name == stack for one in stacks):
        return ()
    paths = (f"{stack}/{container.service}/{name}" for name in names if ".." not in name.split("/"))
    return tuple(path for path in paths if lab.log_files.size(path) is not None)


def definition_of(lab: Lab, container: ContainerState) -> ServiceDefinition | None:
    """What a container was made from, by its label or its image; None where the catalog knows neither."""
    image = container.image.partition("@")[0].rpartition("/")[2].partition(":")[0]
    for word, by_image in ((made_from(container.labels), False), (image, True)):
        if not word:
            continue
        try:
            found = lab.catalog.get(word)
        except NotFound:
            continue
        if not by_image or found.container.image.repository.rpartition("/")[2] == image:
            return found
    return None


def _all_of(
    stacks: Sequence[StackFiles], placed: Sequence[tuple[str, ContainerState]], stack: str
) -> list[ContainerState]:
    known = {one.name for one in stacks}
    found = [c for name, c in placed if (name == stack if stack else name in known)]
    if not found:
        if not stack:
            raise NotFound("No service of this lab has a container.", hint="lab_status lists what is declared.")
        check_stack(stacks, stack)
        raise NotFound(f"Stack {stack} has no containers.", hint="It was never started, or was taken down.")
    return found


def _few(found: list[ContainerState]) -> list[ContainerState]:
    if len(found) > MOST_CONTAINERS:
        raise InvalidInput(
            f"That is {len(found)} containers; {MOST_CONTAINERS} are read at once.", hint="Name a stack, or services."
        )
    return found


def _undeclared(placed: Sequence[tuple[str, ContainerState]], word: str, stack: str) -> tuple[str, str] | None:
    return next(((name, word) for name, c in placed if c.service == word and stack in {"", name}), None)


def _none_of(
    stacks: Sequence[StackFiles], placed: Sequence[tuple[str, ContainerState]], word: str, stack: str
) -> tuple[str, str]:
    names = {c.service for name, c in placed if stack in {"", name}}
    for one in stacks:
        if stack in {"", one.name}:
            try:
                names |= {d.service for d in declared(one)}
            except YamlRefused:
                continue
    raise NotFound(f"There is no service {word[:80]!r}.", hint=nearest(word, names, "Services"))
