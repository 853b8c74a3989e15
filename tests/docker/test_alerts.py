"""An alert's whole way, by real parts: a service dies, Prometheus sees it, Alertmanager tells a person's address."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from homelab_mcp.bootstrap import LocalLab, open_lab
from homelab_mcp.model.plan import Plan, PlanState, Requester
from homelab_mcp.workflow.assembly import applier, approvals
from homelab_mcp.workflow.init_lab import init_lab
from homelab_mcp.workflow.proposals import propose_add_service
from homelab_mcp.workflow.propose_monitoring import propose_monitoring
from homelab_mcp.workflow.verifier import Patience
from testbed import Container, Scratch
from testbed.definitions import definition
from testbed.docker_engine import docker, wait_until
from testbed.watchers import PROGRAMS, ensure_watcher
from tests.docker.private_engine import PrivateEngine

pytestmark = [pytest.mark.nightly, pytest.mark.timeout(600)]

PIN = "27182818"
CLI = Requester("cli")
TOKEN = "canary-topic-4711"
PERSON = (1234, 1235)
HOOK = r"""#!/bin/sh
head -c "$CONTENT_LENGTH" >/got/new.$$ && mv /got/new.$$ "/got/$$.json"
printf 'Content-Type: text/plain\r\n\r\nthanks\n'
"""
"""The receiver, a stand-in for ntfy: it keeps what is posted to it."""


class AlertRig:
    """A lab with a node exporter, Prometheus and Alertmanager, each set up by a plan, and somebody to be told."""

    def __init__(self, folder: Path, scratch: Scratch) -> None:
        images = {name: definition(name).container.image.reference for name in PROGRAMS}
        for name, reference in images.items():
            ensure_watcher(name, reference)
        self.root = folder / "lab"
        self.routes = scratch.network("routes")
        values = {
            "domain": "lab.test",
            "email": "person@example.org",
            "puid": PERSON[0],
            "pgid": PERSON[1],
            "route_network": self.routes,
            "internal_network": scratch.network("internal"),
            "media_network": scratch.network("media"),
        }
        init_lab(open_lab(str(self.root), files_only=True), values, PIN)
        self.lab: LocalLab = open_lab(str(self.root))
        self.receiver: Container = scratch.container(
            images["alertmanager"],
            "-c",
            'mkdir -p /www/cgi-bin /got && cat /hook >"/www/cgi-bin/$TOKEN" && chmod 755 "/www/cgi-bin/$TOKEN" && '
            "exec httpd -f -p 8080 -h /www",
            what="receiver",
            network=self.routes,
            aliases=["phone"],
            env={"TOKEN": TOKEN},
            files={"/hook": HOOK.encode()},
            options=["--entrypoint", "sh"],
        )

    def apply(self, plan: Plan) -> None:
        approvals(self.lab).out_of_band(plan.id, PIN, who="test", approved=True)
        status = applier(self.lab, Patience(stable=2)).run(plan.id)
        assert status.state is PlanState.DONE, status

    def hurry(self) -> None:
        """Seconds for minutes, in the files; what they say otherwise stays."""
        for name, words in {
            "prometheus/config/prometheus.yml": (("15s", "1s"),),
            "prometheus/config/homelab-rules.yml": (('for: "5m"', 'for: "1s"'),),
            "alertmanager/config/alertmanager.yml": (("30s", "1s"), ("5m", "1s")),
        }.items():
            path = self.root / "monitoring" / name
            text = path.read_text()
            for old, new in words:
                assert old in text, (name, text)
                text = text.replace(old, new)
            path.write_text(text)
        docker("restart", "--time", "5", "prometheus", "alertmanager")

    def told(self, status: str, job: str = "node-exporter") -> list[dict[str, Any]]:
        """The alerts on one target that have arrived with that status."""
        text = self.receiver.exec("sh", "-c", 'for f in /got/*.json; do [ ! -e "$f" ] || { cat "$f"; echo; }; done')
        alerts = [alert for line in text.splitlines() if line for alert in json.loads(line)["alerts"]]
        return [a for a in alerts if (a["status"], a["labels"]["job"]) == (status, job)]


@pytest.fixture
def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AlertRig]:
    # The names of the containers are the catalog's, so nobody else's engine will do.
    with PrivateEngine() as engine:
        monkeypatch.setenv("DOCKER_HOST", engine.address)
        with Scratch() as scratch:
            scratch.claim_project("monitoring")
            yield AlertRig(tmp_path, scratch)


def test_a_service_that_dies_is_told_to_the_address_of_a_person_and_its_return_too(rig: AlertRig) -> None:
    rig.apply(propose_add_service(rig.lab, "node-exporter", "monitoring", {}, CLI))
    url = f"http://phone:8080/cgi-bin/{TOKEN}"
    rig.apply(propose_monitoring(rig.lab, ["alerts"], CLI, notify_url=url))
    secret = rig.root / "monitoring/alertmanager/config/notify_url"
    assert secret.read_text() == f"{url}\n"
    assert secret.stat().st_mode & 0o777 == 0o600
    if os.getuid() == 0:
        assert secret.stat().st_uid == PERSON[0], "Alertmanager runs as that user, and must read it"
    rig.hurry()

    docker("stop", "--time", "1", "node-exporter")
    wait_until(lambda: rig.told("firing") or None, "an alert at the receiver", within=180, every=0.5)
    alert = rig.told("firing")[0]
    assert (alert["labels"]["alertname"], alert["labels"]["severity"]) == ("TargetDown", "warning")
    assert alert["annotations"]["summary"] == "node-exporter gives Prometheus no answer."
    docker("start", "node-exporter")
    wait_until(lambda: rig.told("resolved") or None, "the word that it is over", within=180, every=0.5)
    # The address is nowhere that others read.
    logs = [docker("logs", name) for name in ("prometheus", "alertmanager")]
    kept = [p.read_bytes() for p in rig.root.rglob("*") if p.is_file() and p != secret]
    assert not [text for text in logs if TOKEN in text]
    assert not [data for data in kept if TOKEN.encode() in data]


def test_an_address_that_is_given_later_is_used_from_then_on(rig: AlertRig) -> None:
    rig.apply(propose_add_service(rig.lab, "node-exporter", "monitoring", {}, CLI))
    rig.apply(propose_monitoring(rig.lab, ["alerts"], CLI))
    url = f"http://phone:8080/cgi-bin/{TOKEN}"
    rig.apply(propose_monitoring(rig.lab, ["alerts"], CLI, notify_url=url))
    rig.hurry()
    docker("stop", "--time", "1", "node-exporter")
    wait_until(lambda: rig.told("firing") or None, "an alert at the receiver", within=180, every=0.5)
