"""A stack's folder here and on a standby's host, read and put through Docker.

Files travel as archives of a container that is made for it, never started, and taken away again: it has the stack's
folder for a mount. So owners and permissions stay, whoever runs this program, and what travels is as safe as the
connection to Docker there, SSH or mutual TLS.
Source: Docker Engine API, "Get an archive of a filesystem resource in a container" and "Extract an archive": both work
on a container that does not run, its mounts included. Measured with 20.10: an archive put at ``/`` sets mode and owner
of the mounted folder itself, one put at the folder leaves them.
"""

from __future__ import annotations

import posixpath
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from homelab_mcp.adapters.standby_copy import MARK, ROOT, Entry, Mark, differing, packed, unpacked
from homelab_mcp.core.host_routes import FILE
from homelab_mcp.model.errors import EngineFailed, InvalidInput

if TYPE_CHECKING:
    from homelab_mcp.adapters.docker_engine import DockerEngine

_AT = "/copy"
_LABEL = "homelab.standby.carrier"
_SECONDS = 120.0
_LOOKS = 12


class StandbyFiles:
    """The folders of one lab's stacks.

    Args:
        root: the lab's folder, which is the same path on the other machine.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def look(self, engine: DockerEngine, stack: str, image: str) -> dict[str, Entry]:
        """The stack's files as they are at this moment."""
        with self._carrier(engine, stack, image) as carrier:
            found, _ = _read(engine, carrier, stack)
        found.pop(MARK, None)
        return found

    def mark(self, engine: DockerEngine, stack: str, image: str) -> Mark | None:
        """What a sync noted in the folder there; None where no sync made it."""
        with self._carrier(engine, stack, image) as carrier:
            try:
                found = engine.asked(lambda c: unpacked(c.get_archive(carrier, f"{_AT}/{MARK}")[0], stack)[0], _SECONDS)
            except EngineFailed as error:
                if error.code == "no_such_object":
                    return None
                raise
        # An archive of one file has it alone, which is then the root.
        return Mark.read(found[ROOT].data or b"") if ROOT in found else None

    def steady(self, here: DockerEngine, stack: str, image: str) -> tuple[dict[str, Entry], tuple[str, ...]]:
        """The stack's files as two looks in a row saw them, and what is left out."""
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

    def put(self, there: DockerEngine, stack: str, image: str, files: Mapping[str, Entry]) -> tuple[str, ...]:
        """Put them there; the files there that are here no more, which are emptied, as nothing can remove them."""
        with self._carrier(there, stack, image) as carrier:
            present, _ = _read(there, carrier, stack)
            if present.keys() - {ROOT} and MARK not in present:
                raise InvalidInput(
                    f"The folder {self._root / stack} on that machine holds files of somebody else.",
                    hint="Move it away there, or choose another host: nothing is put over other files.",
                    code="standby_occupied",
                )
            stale = {p: e for p, e in present.items() if e.data is not None and p not in files and p != MARK}
            wanted = {**files, **{p: replace(e, data=b"") for p, e in stale.items()}}
            self._send(there, carrier, wanted, Mark())
            now, _ = _read(there, carrier, stack)
            if wrong := [p for p in differing(wanted, now) if p in wanted]:
                raise EngineFailed(f"Not as it was sent: {', '.join(wrong[:5])}.", code="write_not_held")
            # Noted last: what was cut off claims to be nothing that it is not.
            noted = Mark({p: e.digest for p, e in files.items()}, _routes(files))
            self._send(there, carrier, {}, noted)
        return tuple(sorted(p for p, e in stale.items() if e.data))

    def _send(self, there: DockerEngine, carrier: str, files: Mapping[str, Entry], mark: Mark) -> None:
        body = packed(files, mark, _AT.strip("/"))
        there.asked(lambda c: c.put_archive(carrier, "/", body), _SECONDS)

    @contextmanager
    def _carrier(self, engine: DockerEngine, stack: str, image: str) -> Iterator[str]:
        """A container that is never started, with the stack's folder at ``/copy``."""

        def make(client: Any) -> str:
            limits = client.create_host_config(binds=[f"{self._root / stack}:{_AT}"], network_mode="none")
            name = f"homelab-standby-{secrets.token_hex(6)}"
            made = client.create_container(
                image, ["none"], entrypoint=["none"], name=name, host_config=limits, labels={_LABEL: str(self._root)}
            )
            return str(made["Id"])

        ident = engine.asked(make, _SECONDS)
        try:
            yield ident
        finally:
            engine.asked(lambda c: c.remove_container(ident, force=True, v=True), _SECONDS)

    def sweep(self, engine: DockerEngine) -> None:
        """Take away what a look or a sync that was killed has left."""

        def gone(client: Any) -> None:
            for left in client.containers(all=True, quiet=True, filters={"label": f"{_LABEL}={self._root}"}):
                client.remove_container(left["Id"], force=True, v=True)

        engine.asked(gone, _SECONDS)


def _read(engine: DockerEngine, carrier: str, stack: str) -> tuple[dict[str, Entry], tuple[str, ...]]:
    found: tuple[dict[str, Entry], tuple[str, ...]] = engine.asked(
        lambda c: unpacked(c.get_archive(carrier, _AT)[0], stack), _SECONDS
    )
    return found


def _routes(files: Mapping[str, Entry]) -> tuple[str, ...]:
    """Names of the routers in Traefik's file of services elsewhere."""
    found: set[str] = set()
    for path, entry in files.items():
        if posixpath.basename(path) != FILE or not entry.data:
            continue
        try:
            sections = yaml.safe_load(entry.data)
        except yaml.YAMLError:
            continue
        for section in sections.values() if isinstance(sections, dict) else ():
            routers = section.get("routers") if isinstance(section, dict) else None
            found |= set(map(str, routers)) if isinstance(routers, dict) else set()
    return tuple(sorted(found))
