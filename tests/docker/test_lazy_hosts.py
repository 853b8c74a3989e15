"""A service that sleeps on a second real Docker host, and is woken there by a visit through the core host's Traefik.

Real here: both engines, the socket proxies' rules, Compose, Traefik, the ACME certificate authority, every request.
Stand-ins: Sablier and its plugin (they do the same by the same API), the log-in, the service's program.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from homelab_mcp.core.service_edit import ServiceEdit
from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.plan import Plan, PlanState
from homelab_mcp.queries.check_lab import check_lab
from homelab_mcp.queries.diagnose import diagnosis
from homelab_mcp.queries.lab_status import lab_status
from homelab_mcp.queries.validate_lab import check
from homelab_mcp.workflow.change_hosts import added, write_hosts
from homelab_mcp.workflow.proposals import propose_add_service
from homelab_mcp.workflow.propose_changes import propose_remove_service
from homelab_mcp.workflow.propose_lazy import propose_lazy_loading
from testbed import Scratch
from testbed.definitions import definition, provide
from testbed.docker_engine import wait_until
from testbed.images import ensure_socket_proxy
from tests.docker.host_rig import OtherMachine
from tests.docker.lab import REQUESTER, SESSION, RealLab
from tests.sablier_stand_in import PLUGIN_FLAG, put_plugin
from tests.sablier_stand_in.container import ensure_sablier

pytestmark = pytest.mark.timeout(400)

AWAKE = 5
"""Seconds after the last request."""


class Sleepers:
    """A lab with Traefik, its plugin and a log-in here, and the host ``shed`` with a service of the catalog."""

    def __init__(self, lab: RealLab, shed: OtherMachine) -> None:
        self.lab, self.shed = lab, shed
        self.name, self.host = lab.named("it-tools"), f"tools.{lab.domain}"

    def apply(self, plan: Plan) -> None:
        done = self.lab.approve_and_apply(plan, files_only=False)
        assert done.state is PlanState.DONE, done
        assert all(e.ok for e in done.evidence), done.evidence

    def lazy(self, *, on: bool) -> Plan:
        options = {"session": f"{AWAKE}s"} if on else {}
        here = self.lab.open(files_only=False)
        return propose_lazy_loading(here, self.name, "", on=on, options=options, requester=REQUESTER)

    def runs(self) -> bool:
        return self.name in self.shed.running()

    def page(self) -> str:
        answer = self.lab.https(self.host, cookie=SESSION)
        return answer.body.splitlines()[0] if answer.status == 200 and answer.body else str(answer.status)

    def word(self) -> str:
        """What ``status`` says of it."""
        here = self.lab.open(files_only=False)
        (row,) = (r for r in lab_status(here.files, here.engine).rows if r.service == self.name)
        return row.note


@pytest.fixture
def two(docker_engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sleepers]:
    with Scratch() as scratch, OtherMachine(61) as shed:
        provide(definition(name) for name in ("traefik", "authelia"))
        images = [i.reference for i in provide([definition("it-tools")])]
        sablier = definition("sablier")
        proxy = ensure_socket_proxy(next(iter(sablier.companions.values())).image.reference).reference
        # By a name of its own, as others of this engine have a stand-in that only looks like one.
        mine = ensure_sablier("homelab-testbed/sablier:asks").reference
        shed.load(*images, proxy, mine)
        shed.docker("tag", mine, sablier.container.image.reference)
        lab = RealLab(tmp_path_factory.mktemp("lab"), scratch)
        for part in ("authelia", "traefik"):
            lab.write(part, "core")
        core = lab.root / lab.named("core") / "compose.yaml"
        # What a person does who keeps the plugin at home (docs/lazy-loading.md).
        edit = ServiceEdit(core.read_text(), lab.named("traefik")).add_item("command", PLUGIN_FLAG)
        core.write_text(edit.add_item("volumes", "./plugins-local:/plugins-local:ro").text)
        put_plugin(core.parent)
        lab.start(but="")
        here = lab.open(files_only=False)
        write_hosts(here, added(here, "shed", shed.socket, "", "", 5.0, unreached=False, private=shed.address))
        yield Sleepers(lab, shed)


def test_a_service_elsewhere_sleeps_and_a_visit_after_the_log_in_wakes_it_there(two: Sleepers) -> None:
    lab, shed, name = two.lab, two.shed, two.name
    given: dict[str, Any] = {"name": name}
    plan = propose_add_service(
        lab.open(files_only=False), "it-tools", lab.stack("tools"), given, REQUESTER, host="shed"
    )
    two.apply(plan)
    lab.once_certified(two.host)
    before = lab.files()

    on = two.lazy(on=True)
    assert any("Sablier of its own" in note for note in on.draft.notes)
    assert any("no log-in" in note and shed.address in note for note in on.draft.notes)
    two.apply(on)
    assert {name, "sablier-shed", "sablier-shed-docker"} <= shed.running()
    assert shed.published("sablier-shed") == {(shed.address, "10000")}
    (router,) = (r for r in lab.traefik("http/routers") if r["name"] == f"shed-{lab.named('tools')}-{name}@file")
    assert router["middlewares"][-2:] == [lab.login, f"sablier-{name}@file"]
    assert router["status"] == "enabled"
    assert [f.message for f in check(lab.open(files_only=False)).findings if f.rule in {"HL081", "HL089"}] == []

    assert wait_until(lambda: two.page() == "stand-in for it-tools", "the page of the service that is awake yet")
    begun = time.monotonic()
    wait_until(lambda: not two.runs(), "its sleep", within=AWAKE + 25)
    assert time.monotonic() - begun > AWAKE - 2
    assert two.word() == "asleep"
    told = check_lab(lab.open(files_only=False), skip=("backups", "host", "drift"))
    assert [t for t in told.troubles if name in t.what or two.host in t.what] == []
    found = diagnosis(lab.open(files_only=False), name)
    assert "open its page and it starts" in str(found), found

    stranger = lab.https(two.host)
    assert (stranger.status, stranger.headers["location"].startswith(f"https://auth.{lab.domain}/")) == (302, True)
    time.sleep(2)
    assert not two.runs(), "who is not logged in wakes nobody"

    assert two.page() == "waiting for IT-Tools"
    wait_until(lambda: two.page() == "stand-in for it-tools", "the service, woken by that visit", within=30)
    assert two.runs()
    wait_until(lambda: not two.runs(), "its next sleep", within=AWAKE + 25)

    with pytest.raises(InvalidInput) as needed:
        propose_remove_service(lab.open(files_only=False), "sablier-shed", "", REQUESTER)
    assert needed.value.code == "has_dependents"

    two.apply(two.lazy(on=False))
    after = lab.files()
    # Written anew by each apply, it tells of the plugin's folder that was added by hand.
    del after["INVENTORY.md"], before["INVENTORY.md"]
    assert after == before, "to the byte"
    assert two.runs()
    assert not {n for n in shed.running() if "sablier" in n}
    wait_until(lambda: two.page() == "stand-in for it-tools", "the service itself")
