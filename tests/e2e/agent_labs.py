"""The labs that the scripts in tests/agents begin with: each made once, and laid where one server looks after it."""

from __future__ import annotations

import shutil
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from homelab_mcp.adapters.usage_log import JsonlUsageLog
from homelab_mcp.bootstrap import LocalLab, open_lab
from homelab_mcp.core.usage_series import LEAST_SAMPLES, Point, Sample
from homelab_mcp.model.plan import Plan, PlanState, Requester
from homelab_mcp.workflow.assembly import applier, approvals
from homelab_mcp.workflow.init_lab import init_lab
from homelab_mcp.workflow.proposals import propose_add_service, propose_resolve_drift
from homelab_mcp.workflow.propose_backup import propose_configure_backup
from homelab_mcp.workflow.propose_setup import propose_core
from testbed import Scratch, ensure_traefik, free_port, stand_in
from testbed.definitions import definition, provide
from testbed.docker_engine import docker
from testbed.storage import ensure_backup
from tests.e2e.agent_stacks import STACKS
from tests.e2e.server import PIN
from tests.service_stand_in import ENTRY

BY_HAND = """\
services:
  wiki:  # the family's
    image: lscr.io/linuxserver/dokuwiki:latest
    ports: ["8085:80"]
    volumes: ["./wiki:/config"]
    restart: unless-stopped
  pdf:
    image: stirlingtools/stirling-pdf:0.40.0
    privileged: true
    restart: unless-stopped
"""
"""A stack as a person writes one: a port past the firewall, no log-in, no limits, a floating tag."""

SETTINGS = {"domain": "lab.test", "email": "person@example.org", "acme.challenge": "tls"}
SERVICES: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("media", "plex", {}),
    ("media", "sonarr", {}),
    ("downloads", "gluetun", {"variables": {"VPN_SERVICE_PROVIDER": "mullvad"}}),
    ("downloads", "qbittorrent", {"vpn": "off"}),
    ("monitoring", "uptime-kuma", {}),
    ("monitoring", "grafana", {}),
)


MEMO = """\
#!/bin/busybox sh
# A stand-in for a service with an API: one note behind a key.
say() { printf 'Status: %s\\r\\nContent-Type: application/json\\r\\n\\r\\n%s' "$1" "$2"; exit; }
case "$QUERY_STRING" in *apikey=k3y-of-the-memo-stand-in*) ;; *) say '401 Unauthorized' '{"message":"no key"}' ;; esac
[ "$PATH_INFO" = /notes/1 ] || say '404 Not Found' '{"message":"no such note"}'
if [ "$REQUEST_METHOD" = POST ]; then
  case "$(/bin/busybox head -c "$CONTENT_LENGTH")" in *true*) echo true ;; *) echo false ;; esac > /tmp/done
fi
say '200 OK' "{\\"id\\":1,\\"text\\":\\"buy milk\\",\\"done\\":$(/bin/busybox cat /tmp/done 2>/dev/null || echo false)}"
"""

MEMO_ENTRY = (
    ENTRY.partition("api:\n")[0]
    + """\
api:
  documentation: https://example.org/api
  source: this test
  port: 8080
  auth:
    kind: query
    name: apikey
    key: {variable: MEMO_API_KEY, how: "in Memo under Settings, API"}
  operations:
    - id: note
      summary: One note.
      path: /cgi-bin/api/notes/{id}
      parameters: {id: {type: integer, minimum: 1, description: id of a note}}
      keep: [id, text, done]
    - id: set_done
      summary: Marks a note as done or not.
      method: POST
      path: /cgi-bin/api/notes/{id}
      body: {done: "@{done}"}
      parameters:
        id: {type: integer, minimum: 1, description: id of a note}
        done: {type: boolean, description: whether it is}
      risk: low
      check: {operation: note, values: {id: "@{id}"}, expect: {done: "@{done}"}}
      undo: {operation: set_done, values: {id: "@{id}", done: "@{before.done}"}}
"""
)


class AgentLabs:
    """``bare``: just made; ``core``: with the proxy, log-in and start page; ``home``: with services, one by hand."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = folder / "stacks"
        self._make("bare", "")
        self._make("core", "bare")
        self._make("home", "core")

    def _make(self, name: str, of: str) -> None:
        if of:
            self.lay(of)
        lab = open_lab(str(self.root), files_only=True)
        if name == "bare":
            init_lab(lab, dict(SETTINGS), PIN)
        elif name == "core":
            _apply(lab, propose_core(lab, ("duckdns",), Requester("cli")))
        else:
            for stack, service, options in SERVICES:
                _apply(lab, propose_add_service(lab, service, stack, options, Requester("cli")))
            (self.root / "tools").mkdir()
            (self.root / "tools" / "compose.yaml").write_text(BY_HAND)
        shutil.copytree(self.root, self.folder / name, symlinks=True)

    def lay(self, name: str) -> None:
        """Make the lab's folder as that lab begins."""
        shutil.rmtree(self.root)
        shutil.copytree(self.folder / name, self.root, symlinks=True)


def _apply(lab: LocalLab, plan: Plan) -> None:
    approvals(lab).out_of_band(plan.id, PIN, who="test", approved=True)
    status = applier(lab).run(plan.id)
    assert status.state is PlanState.DONE, status


class RunningLab:
    """A lab whose containers run on the real engine: a proxy, media with a broken service, monitoring that complains.

    ``names`` are what scripts call its stacks by, since no other lab on the engine may have them.
    """

    def __init__(self, folder: Path, scratch: Scratch) -> None:
        self.root = folder / "running"
        self.names = {name: scratch.claim_project(f"{name}-{scratch.run_id}") for name in (*STACKS, "watchers")}
        provide(definition(name) for name in ("gatus", "prometheus", "grafana"))
        port, network = free_port(), scratch.network("routes")
        settings = {
            **SETTINGS, "bind_address": "127.0.0.1", "http_port": free_port(), "https_port": port,
            "route_network": network, "internal_network": scratch.network("internal"), "media_network": network,
            "media_dir": str(folder), "downloads_dir": str(folder), "sso_middleware": "",
        }  # fmt: skip
        traefik = ensure_traefik(definition("traefik").container.image.reference).reference
        words = {"RUN": scratch.run_id, "PORT": str(port), "NETWORK": network, "TRAEFIK": traefik}
        for stack, text in STACKS.items():
            place = self.root / self.names[stack]
            place.mkdir(parents=True)
            for word, value in {**words, "IMAGE": stand_in("homelab-tests/agents:1").reference}.items():
                text = text.replace(f"@{word}@", value)
            (place / "compose.yaml").write_text(text)
        init_lab(open_lab(str(self.root), files_only=True), settings, PIN)
        # One stack is known to git, so that there is a state to go back to.
        (self.root / "catalog").mkdir()
        (self.root / "catalog" / "memo.yaml").write_text(MEMO_ENTRY)
        memo = self.root / self.names["memos"]
        (memo / ".env").write_text("MEMO_API_KEY=k3y-of-the-memo-stand-in\n")
        (memo / "www" / "cgi-bin").mkdir(parents=True)
        (memo / "www" / "cgi-bin" / "api").write_text(MEMO)
        (memo / "www" / "cgi-bin" / "api").chmod(0o755)
        lab = open_lab(str(self.root), files_only=True)
        _apply(lab, propose_resolve_drift(lab, self.names["notes"], "adopt", Requester("cli")))
        pad = self.root / self.names["notes"] / "pad"
        pad.mkdir()
        (pad / "notes.txt").write_text("the family's notes\n")
        with closing(sqlite3.connect(pad / "pages.db")) as db, db:
            db.execute("CREATE TABLE pages (name TEXT)")
        closed = self.root / self.names["media"] / "closed"
        # Others may look, and the service may not write.
        closed.mkdir(mode=0o711)
        (closed / "album").mkdir()
        (closed / "album" / "song.txt").write_text("la la\n")
        self._sampled()
        for stack in ("core", "media", "monitoring", "notes", "memos", "sieve"):
            docker("compose", "--project-directory", str(self.root / self.names[stack]), "up", "--detach", "--no-build")
        self._back_up(folder / "repository", scratch)

    def _sampled(self) -> None:
        """What a server would have sampled two hours ago and since, one sample short of what a leak is told from."""
        log, now = JsonlUsageLog(str(self.root)), time.time()
        for n in range(LEAST_SAMPLES - 1):
            grown = Point((12 + 5 * n) * 2**20, 0.0, 1, limit=256 * 2**20)
            points = {"leaky": grown, "steady": Point(4 * 2**20, 0.0, 1)}
            place = self.names["sieve"]
            log.append(Sample(now - (LEAST_SAMPLES - 1 - n) * 720, {f"{place}/{k}": p for k, p in points.items()}))

    def _back_up(self, repository: Path, scratch: Scratch) -> None:
        """Let real restic look after the lab, in a container whose name no other lab has."""
        ensure_backup(definition("backrest").container.image.reference)
        repository.mkdir()
        lab = open_lab(str(self.root))
        stack = scratch.claim_project(f"backup-{scratch.run_id}")
        _apply(lab, propose_configure_backup(lab, {"repository": str(repository)}, Requester("cli"), stack=stack))
