"""Watching a lab's services while something is taken away from it: by their addresses, and by Docker's word."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

from homelab_mcp.core.drill_report import Seen, Track
from homelab_mcp.core.operations.lab_view import view
from homelab_mcp.core.standby import core_stacks
from homelab_mcp.core.survival_standby import Failure
from homelab_mcp.model.errors import HomelabError, NotFound
from homelab_mcp.model.lab import HOSTS_FILE, LOCAL
from homelab_mcp.model.observed import Snapshot
from homelab_mcp.model.swarm import Node
from homelab_mcp.ports import Lab
from homelab_mcp.queries.find import read_stacks
from homelab_mcp.queries.lab_status import status_of
from homelab_mcp.queries.survival import failures

EVERY = 0.5
ANSWER_SECONDS = 3.0
_SERVER_FAULT = 500
_AT_ONCE = 16


def predicted(lab: Lab, lost: str) -> Failure:
    """What ``survives`` says of that node or host being lost, ``local`` for the lab's own machine.

    Raises NotFound (``node_unknown``).
    """
    found = {one.what: one for one in failures(lab, view(Snapshot(read_stacks(lab.files), None)))}
    for what in (f"The Swarm's node {lost} is lost", f"The machine {'of the lab' if lost == LOCAL else lost} is lost"):
        if what in found:
            return found[what]
    raise NotFound(
        f"No node and no host with a stack is called {lost[:60]!r}.",
        hint="`homelab-mcp swarm nodes` and `homelab-mcp host list` name them.",
        code="node_unknown",
    )


def is_node(lab: Lab, name: str) -> Node | None:
    """The Swarm's node of that name, where this machine manages one that has it."""
    try:
        return next((n for n in lab.swarm.nodes() if n.name == name), None)
    except HomelabError:
        return None


class Watch:
    """Looks at every service that is there now, twice a second, until it is told to end."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        known = view(Snapshot(read_stacks(lab.files), None))
        services = known.services
        self._core = core_stacks(known, lab.settings) if lab.files.read(HOSTS_FILE) is not None else ()
        self._addresses = {s.where: min(s.hosts()) for s in services if s.hosts()}
        self._usual: dict[str, int] = {}
        running = self._running()
        answers = self._answers({w: h for w, h in self._addresses.items() if w in running})
        self._usual = {w: status for w, status in answers.items() if 0 < status < _SERVER_FAULT}
        by = {w: f"https://{self._addresses[w]}/" if w in self._usual else "Docker" for w in running}
        self._track = Track(by, time.monotonic())

    def run(self, ended: Callable[[], bool]) -> tuple[Seen, ...]:
        """Look until ``ended``; what was seen."""
        while not ended():
            begun = time.monotonic()
            self.look()
            time.sleep(max(0.0, EVERY - (time.monotonic() - begun)))
        self.look()
        return self._track.seen()

    def look(self) -> None:
        """Once. A service behind the log-in answers by that; so Docker must know it to run as well."""
        running = self._running()
        answers = self._answers({w: self._addresses[w] for w in self._usual})
        there = {w for w in running if w not in self._usual or answers.get(w) == self._usual[w]}
        self._track.look(there, time.monotonic())

    def _running(self) -> set[str]:
        try:
            rows = status_of(self._lab, limit=10_000)["services"]
        except HomelabError:
            return set()
        running = {f"{r['stack']}/{r['service']}" for r in rows if str(r["state"]).startswith("running")}
        return running | self._standing_in()

    def _standing_in(self) -> set[str]:
        """What a standby of the core runs in the place of this machine."""
        if not self._core:
            return set()
        try:
            seen = self._lab.standby.seen(self._core, compared=False)
        except HomelabError:
            return set()
        return {where for one in seen for where in one.running}

    def _answers(self, asked: Mapping[str, str]) -> dict[str, int]:
        if not asked:
            return {}
        with ThreadPoolExecutor(min(_AT_ONCE, len(asked))) as pool:
            found = pool.map(lambda host: self._lab.probe.get(host, timeout=ANSWER_SECONDS).status, asked.values())
            return dict(zip(asked, found, strict=True))
