"""A standby core over the Docker connections that the lab has: nothing else has to be on the other machine.

A standby is what a sync made, by the mark in its folder: containers of the same folder alone may be another lab's, such
as those of the machine that this lab was restored from.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from homelab_mcp.adapters.standby_copy import Entry, Mark
from homelab_mcp.adapters.standby_files import StandbyFiles
from homelab_mcp.adapters.standby_order import WELL, fulfils, in_order, waits_for
from homelab_mcp.core.compose_model import is_external
from homelab_mcp.core.project_name import FOLDER_LABEL
from homelab_mcp.model.errors import EngineFailed, HomelabError, InvalidInput, NotFound
from homelab_mcp.model.lab import LOCAL
from homelab_mcp.model.observed import ContainerState
from homelab_mcp.model.standby import StandbySeen, StandbySynced

if TYPE_CHECKING:
    from homelab_mcp.adapters.compose_cli import ComposeCli
    from homelab_mcp.adapters.docker_engine import DockerEngine
    from homelab_mcp.adapters.hosts import HostSet

_SECONDS = 120.0
_UP_SECONDS = 240.0
_POLL = 0.5
ACTIVE = frozenset({"running", "restarting", "paused"})
"""States of a container that a sync would pull its files away from."""


class StandbyHosts:
    """Fulfils ``ports.Standby``.

    Args:
        root: the lab's folder, which is the same path on the other machine.
        hosts: asked for engines.
        compose: host -> Compose on this machine's files and that host's engine.
    """

    def __init__(self, root: str, hosts: Callable[[], HostSet], compose: Callable[[str], ComposeCli]) -> None:
        self._root = Path(root)
        self._hosts = hosts
        self._compose = compose
        self._files = StandbyFiles(self._root)

    def seen(self, stacks: Sequence[str], *, compared: bool = True) -> tuple[StandbySeen, ...]:
        """As the port's."""
        from homelab_mcp.core.at_once import at_once

        hosts = self._hosts()
        names = [n for n in hosts.names if n != LOCAL]
        if not names:
            return ()
        calls = {n: (lambda host=n: self._found(host, stacks)) for n in names}
        found = at_once(calls, max(hosts.patience(n) for n in names) + 1.0)
        files: dict[str, dict[str, Entry] | None] = {}
        seen: list[StandbySeen] = []
        for name, one in found.items():
            if isinstance(one, Exception) or not one:
                continue
            if not compared:
                seen.append(_seen(name, one))
                continue
            try:
                marks = self._marks(name, one)
            except HomelabError:
                continue
            if mine := {where: c for where, c in one.items() if where.partition("/")[0] in marks}:
                seen.append(self._compared(_seen(name, mine), mine, marks, files))
        return tuple(seen)

    def _compared(
        self,
        seen: StandbySeen,
        found: Mapping[str, ContainerState],
        marks: Mapping[str, Mark],
        files: dict[str, dict[str, Entry] | None],
    ) -> StandbySeen:
        """With what of it is not as it is here now. ``files``: what was read here already."""
        compose = self._compose(seen.host)
        hashes: dict[str, str] = {}
        changed: set[str] = set()
        for stack, mark in marks.items():
            with suppress(HomelabError):
                hashes |= {f"{stack}/{service}": value for service, value in compose.hashes(stack).items()}
            if stack not in files:
                files[stack] = self._here(stack)
            now = files[stack]
            if now is not None and mark.digests is not None:
                digests = {path: entry.digest for path, entry in now.items()}
                moved = {p for p in {*digests, *mark.digests} if digests.get(p) != mark.digests.get(p)}
                changed |= {f"{stack}/{path}" for path in moved}
        behind = {where for where, c in found.items() if hashes and hashes.get(where) not in ("", c.config_hash)}
        missing = hashes.keys() - found.keys()
        noted = [mark for mark in marks.values() if mark.digests is not None]
        return replace(
            seen,
            behind=tuple(sorted(behind | missing)),
            changed=tuple(sorted(changed)),
            routes=tuple(sorted({r for mark in noted for r in mark.routes})) if noted else None,
            cut_off=tuple(sorted(stack for stack, mark in marks.items() if mark.digests is None)),
        )

    def _here(self, stack: str) -> dict[str, Entry] | None:
        """The stack's files on this machine; None where its Docker cannot read them."""
        try:
            here = self._hosts().engine(LOCAL)
            made = here.containers(self._compose(LOCAL).project(stack))
            return self._files.look(here, stack, made[0].image_id) if made else None
        except HomelabError:
            return None

    def sync(self, host: str, stacks: Sequence[str]) -> StandbySynced:
        """As the port's."""
        there, compose = self._at(host), self._compose(host)
        if ":" in str(self._root):
            raise InvalidInput("The lab's path has a colon, which Docker takes for a mount's end.", code="path_refused")
        for engine in (self._hosts().engine(LOCAL), there):
            self._files.sweep(engine)
        for stack in stacks:
            self._refuse_others(host, stack, there, there.containers(compose.project(stack)))
        models = {stack: compose.resolved(stack) for stack in stacks}
        for stack in stacks:
            # Before a secret leaves this machine: what cannot be had there is found out first.
            compose.pull(stack, ())
        total = StandbySynced(0, 0, (), (), 0)
        for stack, model in models.items():
            services: Mapping[str, Any] = model.get("services") or {}
            images = [str(s["image"]) for s in services.values() if s.get("image")]
            if not images:
                raise InvalidInput(f"No service of {stack} names an image.", code="standby_occupied")
            self._networks(there, model)
            files, left = self._files.steady(self._hosts().engine(LOCAL), stack, images[0])
            emptied = self._files.put(there, stack, images[0], files)
            project = compose.project(stack)
            there.remove_orphans(project, {c.service for c in there.containers(project)} - set(services))
            compose.create(stack, ())
            made = there.containers(project)
            sent = [e.data for e in files.values() if e.data is not None]
            total = replace(
                total,
                files=total.files + len(sent),
                size=total.size + sum(len(data) for data in sent),
                emptied=(*total.emptied, *(f"{stack}/{p}" for p in emptied)),
                left_out=(*total.left_out, *(f"{stack}/{p}" for p in left)),
                containers=total.containers + len(made),
            )
        return total

    def active(self, host: str, stacks: Sequence[str]) -> tuple[str, ...]:
        """As the port's."""
        return tuple(sorted(where for where, c in self._ours_there(host, stacks).items() if c.state in ACTIVE))

    def start(self, host: str, stacks: Sequence[str], *, only: Collection[str] | None = None) -> tuple[str, ...]:
        """As the port's: the containers that are there, by what they say themselves.

        Today's compose file may ask for more than the last sync brought, and is of no use here.
        """
        there, engine = self._there(host, stacks), self._at(host)
        mine = {where: c for where, c in there.items() if only is None or where in only}
        until = time.monotonic() + _UP_SECONDS
        for where in in_order(mine):
            stack, one = where.partition("/")[0], mine[where]
            needs = {f"{stack}/{service}": condition for service, condition in waits_for(one).items()}
            self._wait(host, stacks, needs, until)
            if one.state not in {"running", "restarting"}:
                _start(engine, host, one)
        self._wait(host, stacks, dict.fromkeys(mine, WELL), until)
        return tuple(sorted(c.name for c in mine.values()))

    def _wait(self, host: str, stacks: Sequence[str], needs: Mapping[str, str], until: float) -> None:
        """Until each of these ``stack/service`` fulfils its condition."""
        while ill := [c.name for w, c in self._found(host, stacks).items() if w in needs and not fulfils(c, needs[w])]:
            if time.monotonic() >= until:
                raise EngineFailed(
                    f"On {host} after {_UP_SECONDS:.0f} s not well: {', '.join(sorted(ill))}.",
                    hint=f"`docker logs {sorted(ill)[0]}` on that machine says why.",
                    code="standby_not_up",
                )
            time.sleep(_POLL)

    def stop(self, host: str, stacks: Sequence[str], *, keep: Collection[str] = ()) -> None:
        """As the port's: made anew, as Docker would start with itself again what ever ran and is to run ``always``.

        Source: Docker's documentation, "Start containers automatically".
        """
        compose, engine = self._compose(host), self._at(host)
        # What never ran stands as the last sync made it, whatever the files say today.
        there = self._there(host, stacks).items()
        going = {where: c for where, c in there if where not in keep and c.state != "created"}
        anew: dict[str, list[str]] = {}
        for stack in stacks:
            here = {c.service for where, c in going.items() if where.startswith(f"{stack}/")}
            if here and (known := sorted(here & compose.hashes(stack).keys())):
                anew[stack] = known
        for stack, services in anew.items():
            # While all is there yet: an image of today's file that cannot be had leaves nothing taken away.
            compose.pull(stack, services)
        for stack, services in anew.items():
            compose.remove(stack, services)
            # Named: else Compose makes what is to stay anew as well, where its file was changed.
            compose.create(stack, services)
        for where, one in going.items():
            if one.service not in anew.get(where.partition("/")[0], ()) and one.state in ACTIVE:
                # Of no file any more, so nothing would make it again: a sync takes it away.
                _halt(engine, one)

    def _there(self, host: str, stacks: Sequence[str]) -> dict[str, ContainerState]:
        if found := self._ours_there(host, stacks):
            return found
        raise NotFound(
            f"There is no standby on {host}.",
            hint=f"`homelab-mcp host standby {host}` plans one, while this machine's Docker answers.",
            code="standby_missing",
        )

    def _ours_there(self, host: str, stacks: Sequence[str]) -> dict[str, ContainerState]:
        """What a sync made there, and nothing that only has its names."""
        found = self._found(host, stacks)
        marked = self._marks(host, found)
        return {where: c for where, c in found.items() if where.partition("/")[0] in marked}

    def _marks(self, host: str, found: Mapping[str, ContainerState]) -> dict[str, Mark]:
        """Stack -> what a sync noted in its folder there; without those that no sync made."""
        images = {where.partition("/")[0]: c.image_id for where, c in found.items()}
        marks = {s: self._files.mark(self._at(host), s, image) for s, image in sorted(images.items())}
        return {stack: mark for stack, mark in marks.items() if mark is not None}

    def _at(self, host: str) -> DockerEngine:
        self._hosts().knock(host)
        return self._hosts().engine(host)

    def _found(self, host: str, stacks: Sequence[str]) -> dict[str, ContainerState]:
        """``stack/service`` -> container of the same folder there: a standby's, or of a lab that was there before."""
        engine, compose = self._at(host), self._compose(host)
        found: dict[str, ContainerState] = {}
        for stack in stacks:
            mine = [c for c in engine.containers(compose.project(stack)) if self._ours(c, stack)]
            found |= {f"{stack}/{c.service}": c for c in mine}
        return found

    def _ours(self, container: ContainerState, stack: str) -> bool:
        return container.labels.get(FOLDER_LABEL) == str(self._root / stack)

    def _refuse_others(self, host: str, stack: str, engine: DockerEngine, there: Sequence[ContainerState]) -> None:
        others = [c.name for c in there if not self._ours(c, stack)]
        if there and not others and self._files.mark(engine, stack, there[0].image_id) is None:
            others = [c.name for c in there]
        if others:
            raise InvalidInput(
                f"Host {host} has containers of a stack {stack} that is not this lab's: {', '.join(sorted(others))}.",
                hint="Choose another host: a standby has the names of what it stands for.",
                code="standby_occupied",
            )
        if running := [c.name for c in there if c.state in ACTIVE]:
            raise InvalidInput(
                f"The standby on {host} runs: {', '.join(sorted(running))}.",
                hint=f"Stop it first: `homelab-mcp host standby {host} --deactivate`.",
                code="standby_active",
            )

    def _networks(self, there: DockerEngine, model: Mapping[str, Any]) -> None:
        """Networks that the stack's file takes as given."""
        known = there.networks()
        for network in (model.get("networks") or {}).values():
            name = str((network or {}).get("name", ""))
            if is_external(network) and name and name not in known:
                there.create_network(name)


def _seen(host: str, found: Mapping[str, ContainerState]) -> StandbySeen:
    running = {where for where, c in found.items() if c.state == "running"}
    stuck = {where for where, c in found.items() if c.state in ACTIVE} - running
    names = tuple(sorted(c.name for c in found.values()))
    return StandbySeen(host, tuple(sorted(found)), tuple(sorted(running)), (), names, tuple(sorted(stuck)))


def _start(engine: DockerEngine, host: str, container: ContainerState) -> None:
    try:
        if container.state == "paused":
            engine.asked(lambda c: c.unpause(container.id), _SECONDS)
        else:
            engine.asked(lambda c: c.start(container.id), _SECONDS)
    except EngineFailed as error:
        said = str(error.details.get("output") or error.message)
        raise EngineFailed(
            f"{container.name} does not start on {host}: {said[:800]}", code="standby_not_up", details=error.details
        ) from error


def _halt(engine: DockerEngine, container: ContainerState) -> None:
    engine.asked(lambda c: c.stop(container.id), _SECONDS)
