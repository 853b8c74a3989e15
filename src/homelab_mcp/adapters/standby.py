"""A standby core over the Docker connections that the lab has: nothing else has to be on the other machine.

Files travel as archives of a container that is made for it, never started, and taken away again: it has the stack's
folder for a mount. So owners and permissions stay, whoever runs this program, and what travels is as safe as the
connection to Docker there, SSH or mutual TLS.
Source: Docker Engine API, "Get an archive of a filesystem resource in a container" and "Extract an archive": both work
on a container that does not run, its mounts included.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from homelab_mcp.adapters.standby_copy import MARK, Entry, differing, packed, unpacked
from homelab_mcp.core.project_name import FOLDER_LABEL
from homelab_mcp.model.errors import EngineFailed, HomelabError, InvalidInput, NotFound
from homelab_mcp.model.lab import LOCAL
from homelab_mcp.model.observed import ContainerState
from homelab_mcp.model.standby import StandbySeen, StandbySynced

if TYPE_CHECKING:
    from homelab_mcp.adapters.compose_cli import ComposeCli
    from homelab_mcp.adapters.docker_engine import DockerEngine
    from homelab_mcp.adapters.hosts import HostSet

_AT = "/copy"
_LABEL = "homelab.standby.carrier"
_SECONDS = 120.0
_UP_SECONDS = 240.0
_LOOKS = 12
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

    def seen(self, stacks: Sequence[str], *, compared: bool = True) -> tuple[StandbySeen, ...]:
        """As the port's."""
        from homelab_mcp.adapters.hosts import at_once

        hosts = self._hosts()
        names = [n for n in hosts.names if n != LOCAL]
        if not names:
            return ()
        calls = {n: (lambda host=n: self._found(host, stacks)) for n in names}
        found = at_once(calls, max(hosts.patience(n) for n in names) + 1.0)
        seen = ((name, one) for name, one in found.items() if not isinstance(one, Exception))
        return tuple(self._seen(name, one, compared=compared) for name, one in seen if one)

    def _seen(self, host: str, found: Mapping[str, ContainerState], *, compared: bool) -> StandbySeen:
        compose = self._compose(host)
        hashes: dict[str, str] = {}
        for stack in {where.partition("/")[0] for where in found if compared}:
            try:
                hashes |= {f"{stack}/{service}": value for service, value in compose.hashes(stack).items()}
            except HomelabError:
                continue
        behind = {where for where, c in found.items() if hashes and hashes.get(where) != c.config_hash}
        running = tuple(sorted(where for where, c in found.items() if c.state == "running"))
        names = tuple(sorted(c.name for c in found.values()))
        missing = hashes.keys() - found.keys()
        stuck = tuple(sorted(where for where, c in found.items() if c.state in ACTIVE and where not in running))
        return StandbySeen(host, tuple(sorted(found)), running, tuple(sorted(behind | missing)), names, stuck)

    def sync(self, host: str, stacks: Sequence[str]) -> StandbySynced:
        """As the port's."""
        there, compose = self._at(host), self._compose(host)
        if ":" in str(self._root):
            raise InvalidInput("The lab's path has a colon, which Docker takes for a mount's end.", code="path_refused")
        for stack in stacks:
            self._refuse_others(host, stack, there.containers(compose.project(stack)))
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
            files, left = self._steady(stack, images[0])
            emptied = self._put(there, stack, images[0], files)
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
        return tuple(sorted(where for where, c in self._found(host, stacks).items() if c.state in ACTIVE))

    def start(self, host: str, stacks: Sequence[str], *, only: Collection[str] | None = None) -> tuple[str, ...]:
        """As the port's."""
        compose = self._compose(host)
        wanted = self._there(host, stacks).keys() if only is None else set(only)
        for stack in stacks:
            if mine := sorted(w.partition("/")[2] for w in wanted if w.startswith(f"{stack}/")):
                compose.start(stack, mine)
        until = time.monotonic() + _UP_SECONDS
        while ill := [c.name for w, c in self._found(host, stacks).items() if w in wanted and not _well(c)]:
            if time.monotonic() >= until:
                raise EngineFailed(
                    f"On {host} after {_UP_SECONDS:.0f} s not well: {', '.join(sorted(ill))}.",
                    hint=f"`docker logs {sorted(ill)[0]}` on that machine says why.",
                    code="standby_not_up",
                )
            time.sleep(_POLL)
        return tuple(sorted(c.name for w, c in self._found(host, stacks).items() if w in wanted))

    def stop(self, host: str, stacks: Sequence[str], *, keep: Collection[str] = ()) -> None:
        """As the port's: made anew, as Docker would start with itself again what ever ran and is to run ``always``.

        Source: Docker's documentation, "Start containers automatically".
        """
        compose, found = self._compose(host), self._there(host, stacks)
        for stack in stacks:
            here = [c.service for where, c in found.items() if where.startswith(f"{stack}/") and where not in keep]
            if mine := sorted(here):
                compose.remove(stack, mine)
                # Named: else Compose makes what is to stay anew as well, where its file was changed.
                compose.create(stack, mine)

    def _there(self, host: str, stacks: Sequence[str]) -> dict[str, ContainerState]:
        if found := self._found(host, stacks):
            return found
        raise NotFound(
            f"There is no standby on {host}.",
            hint=f"`homelab-mcp host standby {host}` plans one, while this machine's Docker answers.",
            code="standby_missing",
        )

    def _at(self, host: str) -> DockerEngine:
        self._hosts().knock(host)
        return self._hosts().engine(host)

    def _found(self, host: str, stacks: Sequence[str]) -> dict[str, ContainerState]:
        """``stack/service`` -> container of a standby there; none of a lab of somebody else's."""
        engine, compose = self._at(host), self._compose(host)
        found: dict[str, ContainerState] = {}
        for stack in stacks:
            mine = [c for c in engine.containers(compose.project(stack)) if self._ours(c, stack)]
            found |= {f"{stack}/{c.service}": c for c in mine}
        return found

    def _ours(self, container: ContainerState, stack: str) -> bool:
        return container.labels.get(FOLDER_LABEL) == str(self._root / stack)

    def _refuse_others(self, host: str, stack: str, there: Sequence[ContainerState]) -> None:
        if others := [c.name for c in there if not self._ours(c, stack)]:
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
            if (network or {}).get("external") and name and name not in known:
                there.create_network(name)

    def _steady(self, stack: str, image: str) -> tuple[dict[str, Entry], tuple[str, ...]]:
        """The stack's files here, as two looks in a row saw them."""
        here = self._hosts().engine(LOCAL)
        with self._carrier(here, stack, image) as carrier:
            before, _ = _read(here, carrier, stack)
            for _ in range(_LOOKS):
                now, left = _read(here, carrier, stack)
                moved = differing(before, now)
                if not moved:
                    # What a standby was made of is none itself.
                    now.pop(MARK, None)
                    return now, left
                before = now
        raise EngineFailed(
            f"Files of {stack} change all the time: {', '.join(moved[:5])}.",
            hint="Ask again in a quiet moment, or stop the service that writes them for so long.",
            code="standby_unsteady",
        )

    def _put(self, there: DockerEngine, stack: str, image: str, files: Mapping[str, Entry]) -> tuple[str, ...]:
        """Put them there; the files there that are here no more, which are emptied, as nothing can remove them."""
        with self._carrier(there, stack, image) as carrier:
            present, _ = _read(there, carrier, stack)
            if present and MARK not in present:
                raise InvalidInput(
                    f"The folder {self._root / stack} on that machine holds files of somebody else.",
                    hint="Move it away there, or choose another host: nothing is put over other files.",
                    code="standby_occupied",
                )
            stale = {p: e for p, e in present.items() if e.data is not None and p not in files and p != MARK}
            wanted = {**files, **{p: replace(e, data=b"") for p, e in stale.items()}}
            body = packed(wanted)
            there.asked(lambda c: c.put_archive(carrier, _AT, body), _SECONDS)
            now, _ = _read(there, carrier, stack)
            if wrong := [p for p in differing(wanted, now) if p in wanted]:
                raise EngineFailed(f"Not as it was sent: {', '.join(wrong[:5])}.", code="write_not_held")
        return tuple(sorted(p for p, e in stale.items() if e.data))

    @contextmanager
    def _carrier(self, engine: DockerEngine, stack: str, image: str) -> Iterator[str]:
        """A container that is never started, with the stack's folder at ``/copy``."""

        def make(client: Any) -> str:
            limits = client.create_host_config(binds=[f"{self._root / stack}:{_AT}"], network_mode="none")
            name = f"homelab-standby-{secrets.token_hex(6)}"
            for left in client.containers(all=True, quiet=True, filters={"label": f"{_LABEL}={self._root}"}):
                # Of a sync that was killed: one lab has one apply at a time.
                client.remove_container(left["Id"], force=True, v=True)
            made = client.create_container(
                image, ["none"], entrypoint=["none"], name=name, host_config=limits, labels={_LABEL: str(self._root)}
            )
            return str(made["Id"])

        ident = engine.asked(make, _SECONDS)
        try:
            yield ident
        finally:
            engine.asked(lambda c: c.remove_container(ident, force=True, v=True), _SECONDS)


def _read(engine: DockerEngine, carrier: str, stack: str) -> tuple[dict[str, Entry], tuple[str, ...]]:
    found: tuple[dict[str, Entry], tuple[str, ...]] = engine.asked(
        lambda c: unpacked(c.get_archive(carrier, _AT)[0], stack), _SECONDS
    )
    return found


def _well(container: ContainerState) -> bool:
    if container.state == "exited":
        return container.status.startswith("Exited (0)")
    return container.state == "running" and container.health in {"", "healthy"}
