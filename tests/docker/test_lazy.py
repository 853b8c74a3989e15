"""A service that sleeps: the real Traefik keeps the route of a stopped container, and the next visit starts it."""

from __future__ import annotations

import http.client
import ipaddress
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from homelab_mcp.adapters.catalog_files import packaged_definitions
from homelab_mcp.core.service_edit import ServiceEdit
from homelab_mcp.model.plan import PlanState
from homelab_mcp.workflow.propose_lazy import propose_lazy_loading
from testbed import LocalImage, Scratch
from testbed.definitions import provide
from testbed.docker_engine import docker, wait_until
from tests.docker.lab import REQUESTER, SESSION, RealLab
from tests.sablier_stand_in import PLUGIN_FLAG, SablierStandIn, put_plugin

pytestmark = pytest.mark.timeout(120)

FIRST = ["security-headers@file", "rate-limit@file"]
"""What the entry point puts before each router's own middlewares."""


def test_a_stopped_container_keeps_its_route_and_is_started_by_a_visit(
    testbed_run: Scratch, traefik_image: str, stand_in: Callable[..., LocalImage], tmp_path: Path
) -> None:
    network = testbed_run.network("lazy")
    subnet = docker("network", "inspect", "--format", "{{(index .IPAM.Config 0).Subnet}}", network)
    gateway = str(next(ipaddress.ip_network(subnet).hosts()))
    image = stand_in(f"homelab-testbed/wiki:{testbed_run.run_id}", service="wiki")
    put_plugin(tmp_path)
    router = "traefik.http.routers"
    plugin = "traefik.http.middlewares.sleep.plugin.sablier"

    def running(name: str) -> bool:
        return docker("inspect", "--format", "{{.State.Running}}", name) == "true"

    def start(name: str) -> None:
        docker("start", name)

    with SablierStandIn(running, start).serving(gateway) as sablier:
        traefik = testbed_run.container(
            traefik_image,
            "--providers.docker=true",
            "--providers.docker.exposedbydefault=false",
            f"--providers.docker.network={network}",
            f"--providers.docker.constraints=Label(`homelab.testbed`,`{testbed_run.run_id}`)",
            "--entrypoints.web.address=:80",
            "--entrypoints.traefik.address=:8080",
            "--api.insecure=true",
            PLUGIN_FLAG,
            what="traefik",
            network=network,
            publish={80: None, 8080: None},
            volumes={
                "/var/run/docker.sock": "/var/run/docker.sock:ro",
                f"{tmp_path}/plugins-local": "/plugins-local:ro",
            },
        )
        services = {}
        for what, keep in (("kept", "true"), ("lost", "false")):
            name = testbed_run.name(what)
            labels = {
                "traefik.enable": "true",
                "traefik.docker.allownonrunning": keep,
                f"{router}.{what}.rule": f"Host(`{what}.lab.test`)",
                f"{router}.{what}.entrypoints": "web",
                f"{router}.{what}.middlewares": f"{what}-sleep",
                f"{plugin.replace('sleep', f'{what}-sleep')}.sablierurl": sablier.url,
                f"{plugin.replace('sleep', f'{what}-sleep')}.group": name,
                f"{plugin.replace('sleep', f'{what}-sleep')}.dynamic.displayname": what,
                f"traefik.http.services.{what}.loadbalancer.server.port": "80",
                "homelab.testbed": testbed_run.run_id,
            }
            flags = [f"--label={k}={v}" for k, v in labels.items()]
            docker("create", "--name", name, "--network", network, "--restart=unless-stopped", *flags, image.reference)
            docker("start", name)
            services[what] = name

        def get(port: int, path: str = "/", host: str = "localhost") -> tuple[int, str]:
            connection = http.client.HTTPConnection("127.0.0.1", traefik.published_port(port), timeout=10)
            try:
                connection.request("GET", path, headers={"Host": host})
                answer = connection.getresponse()
                return answer.status, answer.read().decode()
            finally:
                connection.close()

        def routers() -> set[str]:
            try:
                found: Any = json.loads(get(8080, "/api/http/routers")[1])
            except (OSError, ValueError):
                return set()
            return {r["name"] for r in found if r["status"] == "enabled"}

        wait_until(lambda: {"kept@docker", "lost@docker"} <= routers(), "both routes")
        for name in services.values():
            docker("stop", "--time", "0", name)
        # A Traefik that does not answer names no router at all.
        wait_until(
            lambda: routers() & {"kept@docker", "lost@docker"} == {"kept@docker"},
            "the route that goes with its container",
        )
        assert get(80, host="lost.lab.test")[0] == 404
        assert get(80, host="kept.lab.test") == (200, "waiting for kept")
        page = wait_until(lambda: (a := get(80, host="kept.lab.test"))[0] == 200 and "stand-in for wiki" in a[1], "it")
        assert page
        # Asleep over a restart of the engine too: Docker keeps down what was stopped, with unless-stopped.
        assert docker("inspect", "--format", "{{.HostConfig.RestartPolicy.Name}}", services["kept"]) == "unless-stopped"


@pytest.mark.timeout(240)
def test_a_plan_puts_a_service_to_sleep_behind_the_log_in_of_a_whole_lab(docker_engine: str, tmp_path: Path) -> None:
    """Sablier is a stand-in that never says ready: what is asked of it comes back as the page."""
    with Scratch() as scratch:
        sleeps_and_wakes_in(RealLab(tmp_path, scratch))


def sleeps_and_wakes_in(lab: RealLab) -> None:
    services = ("authelia", "traefik", "sablier", "grafana")
    provide(d for d in packaged_definitions() if d.id in services)
    for service in services:
        lab.write(service, "core" if service != "grafana" else "monitoring")
    core = lab.root / lab.named("core") / "compose.yaml"
    # What a person does who keeps the plugin at home (docs/lazy-loading.md).
    edit = ServiceEdit(core.read_text(), lab.named("traefik")).add_item("command", PLUGIN_FLAG)
    core.write_text(edit.add_item("volumes", "./plugins-local:/plugins-local:ro").text)
    put_plugin(core.parent)
    lab.start(but="")
    host = f"grafana.{lab.domain}"
    for one in (host, f"traefik.{lab.domain}"):
        lab.once_certified(one)
    name, before = lab.named("grafana"), lab.files()

    def lazy(*, on: bool) -> None:
        made = propose_lazy_loading(
            lab.open(files_only=False), name, "", on=on, options={"session": "5m"} if on else {}, requester=REQUESTER
        )
        status = lab.approve_and_apply(made, files_only=False)
        assert status.state is PlanState.DONE, status
        assert all(e.ok for e in status.evidence), status.evidence

    lazy(on=True)
    router = wait_until(
        lambda: next((r for r in lab.traefik("http/routers") if r["name"] == f"{name}@docker"), None), "the route"
    )
    assert (router["status"], router["middlewares"]) == ("enabled", [*FIRST, lab.login, f"sablier-{name}@file"])
    docker("stop", "--time", "0", name)
    stranger = lab.https(host)
    assert stranger.status == 302, "who is not logged in gets no further, and wakes nobody"
    page = wait_until(lambda: (a := lab.https(host, cookie=SESSION)).status == 200 and a.body, "Sablier's page")
    assert isinstance(page, str)
    assert "stand-in for sablier" in page
    assert f"GET /api/strategies/dynamic?display_name=Grafana&group={name}&session_duration=5m" in page
    told: list[dict[str, Any]] = [json.loads(line) for line in docker_logs(lab.named("traefik")) if line[:1] == "{"]
    # A label and its file reach Traefik a moment apart; until both have, the route is shut, not open.
    shut = f'middleware "sablier-{name}@file" does not exist'
    wrong = [t for t in told if t.get("level") in {"warn", "error"} and "sablier" in json.dumps(t).lower()]
    assert [t for t in wrong if t.get("error") != shut] == []
    lazy(on=False)
    after = lab.files()
    # Written anew by each apply, it tells of the plugin's folder that was added by hand.
    assert b"plugins-local" in after.pop("INVENTORY.md")[0]
    del before["INVENTORY.md"]
    assert after == before, "to the byte"
    body = wait_until(lambda: (a := lab.https(host, cookie=SESSION)).status == 200 and a.body, "the service itself")
    assert isinstance(body, str)
    assert "stand-in for grafana" in body


def docker_logs(container: str) -> list[str]:
    done = subprocess.run(["docker", "logs", container], capture_output=True, check=True, timeout=30)
    return (done.stdout + done.stderr).decode(errors="replace").splitlines()
