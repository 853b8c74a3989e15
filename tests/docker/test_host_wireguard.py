"""A service on another host, reached by this machine's Traefik through WireGuard alone, with HTTPS and the log-in.

Real here: two engines, SSH, WireGuard (in user space), Compose, Traefik, the certificate authority, every request.
Stand-ins: the log-in (a forward-auth that knows one session) and the service's program.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from homelab_mcp.core.host_routes import FILE
from homelab_mcp.model.plan import PlanState
from homelab_mcp.workflow.change_hosts import added, write_hosts
from homelab_mcp.workflow.proposals import propose_add_service
from testbed import Scratch
from testbed.definitions import definition, provide
from testbed.docker_engine import wait_until
from tests.docker.host_rig import OtherMachine
from tests.docker.lab import REQUESTER, SESSION, RealLab
from tests.docker.wireguard_rig import WireGuardLink

pytestmark = [pytest.mark.timeout(400), pytest.mark.nightly]

SERVICE = "uptime-kuma"


@pytest.fixture
def linked(docker_engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RealLab, WireGuardLink]]:
    with Scratch() as scratch, pytest.MonkeyPatch.context() as patch:
        provide([definition("traefik"), definition("authelia")])
        images = [i.reference for i in provide([definition(SERVICE)])]
        lab = RealLab(tmp_path_factory.mktemp("lab"), scratch)
        for part in ("authelia", "traefik"):
            lab.write(part, "core")
        lab.start(but="")
        with OtherMachine(97) as shed, WireGuardLink(shed, 97) as link:
            patch.setenv("PATH", str(shed.sshd()), prepend=":")
            shed.load(*images)
            here = lab.open(files_only=False)
            address = f"ssh://root@{shed.address}"
            write_hosts(here, added(here, "shed", address, "", "", 10.0, unreached=False, private=link.there))
            yield lab, link


def test_a_route_goes_through_wireguard_and_nowhere_else(linked: tuple[RealLab, WireGuardLink]) -> None:
    lab, link = linked
    name = f"{SERVICE}.{lab.domain}"
    given = {"name": lab.named(SERVICE), "subdomain": SERVICE}
    plan = propose_add_service(lab.open(files_only=False), SERVICE, lab.stack(SERVICE), given, REQUESTER, host="shed")
    done = lab.approve_and_apply(plan, files_only=False)
    assert done.state is PlanState.DONE, done
    lab.once_certified(name)
    ((address, _),) = link.machine.published(lab.named(SERVICE))
    assert address == link.there
    (file,) = lab.root.rglob(FILE)
    assert f"http://{link.there}:" in file.read_text()

    before = link.received()
    stranger = lab.https(name, within=30)
    assert stranger.status == 302, stranger
    assert stranger.headers["location"].startswith(f"https://auth.{lab.domain}/")
    known = lab.https(name, cookie=SESSION, within=30)
    assert (known.status, known.body.splitlines()[0]) == (200, f"stand-in for {SERVICE}")
    assert link.received() > before + len(known.body)

    # On the cable itself nobody answers at the port: the address that it is published on is the link's.
    port = int(file.read_text().partition(f"http://{link.there}:")[2].split("/")[0].strip("\"'\n ").split()[0])
    with pytest.raises(OSError, match=r"refused|timed out"), socket.create_connection((link.machine.address, port), 2):
        pass

    link.close()
    wait_until(lambda: lab.https(name, cookie=SESSION, within=10).status >= 500, "no way without the link", within=60)
