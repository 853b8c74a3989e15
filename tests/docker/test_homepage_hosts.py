"""Homepage shows a service of a second real Docker host: what it is told is what it can reach from where it runs.

Real here: both engines, Compose, Traefik, the ACME certificate authority, every request, those from Homepage's own
container too. Stand-ins: the log-in and the programs of Homepage and the service (small web servers).
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from homelab_mcp.core.yaml12 import load
from homelab_mcp.model.plan import Plan, PlanState
from homelab_mcp.workflow.change_hosts import added, write_hosts
from homelab_mcp.workflow.proposals import propose_add_service
from homelab_mcp.workflow.propose_changes import propose_remove_service
from homelab_mcp.workflow.propose_homepage import propose_set_widget
from testbed import Scratch
from testbed.definitions import definition, provide
from testbed.docker_engine import docker
from tests.docker.host_rig import OtherMachine
from tests.docker.lab import REQUESTER, SESSION, RealLab

pytestmark = pytest.mark.timeout(300)

KUMA = "Uptime Kuma"


class Rig:
    """A lab with Traefik, log-in and Homepage here, and the host ``shed``."""

    def __init__(self, lab: RealLab, shed: OtherMachine) -> None:
        self.lab, self.shed = lab, shed
        self.page, self.kuma = lab.named("homepage"), lab.named("uptime-kuma")

    def apply(self, plan: Plan) -> None:
        done = self.lab.approve_and_apply(plan, files_only=False)
        assert done.state is PlanState.DONE, done
        assert all(e.ok for e in done.evidence), done.evidence

    def text(self) -> str:
        """``services.yaml`` as Homepage's container has it."""
        return docker("exec", self.page, "cat", "/app/config/services.yaml")

    def entry(self) -> dict[str, Any]:
        """What it says of the service."""
        found = [e for group in load(self.text()) for entries in group.values() for e in entries]
        (entry,) = (e[KUMA] for e in found if KUMA in e)
        assert isinstance(entry, dict)
        return entry

    def from_homepage(self, url: str) -> str:
        """The first line of a page as Homepage's container gets it; "" where it gets none."""
        done = subprocess.run(
            ["docker", "exec", self.page, "wget", "-q", "-O", "-", url], capture_output=True, text=True, check=False
        )
        return done.stdout.partition("\n")[0]


@pytest.fixture
def rig(docker_engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with Scratch() as scratch, OtherMachine(62) as shed:
        provide(definition(name) for name in ("traefik", "authelia", "homepage"))
        shed.load(*(i.reference for i in provide([definition("uptime-kuma")])))
        lab = RealLab(tmp_path_factory.mktemp("lab"), scratch)
        for part in ("authelia", "traefik", "homepage"):
            lab.write(part, "core")
        lab.start(but="")
        here = lab.open(files_only=False)
        write_hosts(here, added(here, "shed", shed.socket, "", "", 5.0, unreached=False, private=shed.address))
        yield Rig(lab, shed)


def test_a_service_elsewhere_is_on_the_page_with_addresses_that_homepage_reaches(rig: Rig) -> None:
    lab, shed = rig.lab, rig.shed
    before = rig.text()
    given: dict[str, Any] = {"name": rig.kuma}
    rig.apply(
        propose_add_service(
            lab.open(files_only=False), "uptime-kuma", lab.stack("watch"), given, REQUESTER, host="shed"
        )
    )
    entry = rig.entry()
    ((address, _),) = shed.published(rig.kuma)
    assert entry["siteMonitor"].startswith(f"http://{address}:")
    assert rig.from_homepage(entry["siteMonitor"]) == "stand-in for uptime-kuma"
    assert not {"server", "container"} & entry.keys(), "Homepage has no way to ask that host's Docker"
    assert rig.from_homepage(f"http://{rig.kuma}:3001/") == "", "a container's name of another host means nothing here"

    host = urlsplit(entry["href"]).hostname or ""
    assert host.endswith(f".{lab.domain}")
    assert lab.once_certified(host).status == 302
    known = lab.https(host, cookie=SESSION)
    assert (known.status, known.body.splitlines()[0]) == (200, "stand-in for uptime-kuma")

    here = lab.open(files_only=False)
    plan = propose_set_widget(here, REQUESTER, service=rig.kuma, fields={"slug": "home"})
    assert any("private address of host shed" in note for note in plan.draft.notes)
    rig.apply(plan)
    widget = rig.entry()["widget"]
    assert (widget["type"], widget["slug"]) == ("uptimekuma", "home")
    assert rig.from_homepage(widget["url"]) == "stand-in for uptime-kuma"

    rig.apply(propose_remove_service(lab.open(files_only=False), rig.kuma, "", REQUESTER))
    assert rig.text() == before, "to the byte"
