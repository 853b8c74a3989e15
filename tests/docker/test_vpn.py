"""A service behind a VPN gateway on the real engine. The gateway is a STAND-IN: it lends its network, no tunnel."""

from __future__ import annotations

import ipaddress
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.request import urlopen

import pytest

from homelab_mcp.bootstrap import LocalLab, open_lab
from homelab_mcp.core.compose_meaning import read, services_of
from homelab_mcp.model.plan import Plan, PlanState, Requester
from homelab_mcp.queries.check_vpn import check_vpn
from homelab_mcp.workflow.assembly import applier, approvals
from homelab_mcp.workflow.init_lab import init_lab
from homelab_mcp.workflow.proposals import propose_rollback, propose_set_env
from homelab_mcp.workflow.propose_vpn import propose_vpn
from testbed import LocalImage, Scratch, free_port
from testbed.docker_engine import docker
from tests.doc_play import played, shell_of

pytestmark = pytest.mark.timeout(240)

PIN = "27182818"
PERSON = Requester("cli")


@contextmanager
def echo(host: str) -> Iterator[str]:
    """A page that answers with the address it was asked from, as such services on the internet do."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.client_address[0].encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer((host, 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://{host}:{server.server_address[1]}/"
    finally:
        server.shutdown()
        server.server_close()


class Home:
    """A lab with a gateway, a tool that publishes a port, and a friend on the same network."""

    def __init__(self, folder: Path, scratch: Scratch, stand_in: Callable[..., LocalImage]) -> None:
        run = scratch.run_id
        self.root, self.stack = folder / "stacks", scratch.claim_project(f"vpn-{run}")
        self.network, self.port = scratch.network("vpn"), free_port()
        images = {
            name: stand_in(f"homelab-testbed/{name}:{run}", service=name, ports=[port]).reference
            for name, port in (("gluetun", 9999), ("tool", 8080), ("friend", 80))
        }
        init_lab(open_lab(str(self.root), files_only=True), {"domain": "lab.test"}, PIN)
        check = "    healthcheck: {test: [CMD, 'true'], interval: 1s, retries: 3}\n    networks: [lan]\n"
        (self.root / self.stack).mkdir()
        (self.root / self.stack / ".env").write_text("VPN_SERVICE_PROVIDER=mullvad\nVPN_SERVER_COUNTRIES=Norway\n")
        (self.root / self.stack / "compose.yaml").write_text(
            f"services:\n  gluetun:\n    image: {images['gluetun']}\n    cap_add: [NET_ADMIN]\n"
            f"    environment: {{SERVER_COUNTRIES: '${{VPN_SERVER_COUNTRIES}}'}}\n{check}"
            f"  tool:\n    image: {images['tool']}\n    ports: ['127.0.0.1:{self.port}:8080']\n{check}"
            f"  friend:\n    image: {images['friend']}\n{check}"
            f"networks:\n  lan: {{external: true, name: {self.network}}}\n"
        )
        subprocess.run(
            ["docker", "compose", "up", "--detach", "--no-build", "--wait"],
            cwd=self.root / self.stack,
            check=True,
            capture_output=True,
            timeout=90,
        )

    @property
    def lab(self) -> LocalLab:
        return open_lab(str(self.root))

    def apply(self, plan: Plan) -> None:
        lab = self.lab
        approvals(lab).out_of_band(plan.id, PIN, who="test", approved=True)
        status = applier(lab).run(plan.id)
        assert status.state is PlanState.DONE, status

    def id_of(self, service: str) -> str:
        label = f"label=com.docker.compose.service={service}"
        project = f"label=com.docker.compose.project={self.stack}"
        return docker("ps", "--all", "--no-trunc", "--quiet", "--filter", label, "--filter", project)

    def page(self) -> str:
        with urlopen(f"http://127.0.0.1:{self.port}/", timeout=5) as answer:
            text: str = answer.read().decode()
            return text

    def reaches(self, service: str, url: str) -> bool:
        words = ["docker", "exec", self.id_of(service), "wget", "-q", "-O", "-", "-T", "3", url]
        done = subprocess.run(words, capture_output=True, timeout=20, check=False)
        return done.returncode == 0 and b"stand-in for" in done.stdout


def test_a_service_goes_behind_the_gateway_reaches_nothing_without_it_and_comes_back(
    tmp_path: Path, testbed_run: Scratch, stand_in: Callable[..., LocalImage], monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Home(tmp_path, testbed_run, stand_in)
    compose = home.root / home.stack / "compose.yaml"
    before = compose.read_text()
    assert "stand-in for tool" in home.page()

    home.apply(propose_vpn(home.lab, PERSON, service="tool", state="on"))
    assert docker("inspect", "--format", "{{.HostConfig.NetworkMode}}", home.id_of("tool")) == (
        f"container:{home.id_of('gluetun')}"
    )
    assert "stand-in for tool" in home.page(), "its published port is the gateway's now"
    assert home.reaches("friend", "http://tool:8080/"), "others find it under its old name"
    friend = docker(
        "inspect",
        "--format",
        f'{{{{(index .NetworkSettings.Networks "{home.network}").IPAddress}}}}',
        home.id_of("friend"),
    )
    assert home.reaches("tool", f"http://{friend}/")

    subnet = docker("network", "inspect", "--format", "{{(index .IPAM.Config 0).Subnet}}", home.network)
    with echo(str(next(ipaddress.ip_network(subnet).hosts()))) as page:
        monkeypatch.setenv("HOMELAB_ADDRESS_ECHO", page)
        (seen,) = check_vpn(home.lab)["gateways"]
        assert seen["verdict"] == "bad", "a stand-in asks Docker's name server, and that is a leak"
        assert any("127.0.0.11" in p and p.startswith("tool") for p in seen["problems"])
        # Gluetun does so itself; the file is one for all in its network.
        docker("exec", home.id_of("gluetun"), "sh", "-c", "echo nameserver 127.0.0.1 > /etc/resolv.conf")
        (seen,) = check_vpn(home.lab)["gateways"]
        assert seen["verdict"] == "ok", seen
        with played("docs/vpn.md", __file__) as play:
            (told,) = play.type(shell_of(home.root, HOMELAB_ADDRESS_ECHO=page))
            assert told.code == 0 and "tool" in told.said, told
        address = docker(
            "inspect",
            "--format",
            f'{{{{(index .NetworkSettings.Networks "{home.network}").IPAddress}}}}',
            home.id_of("gluetun"),
        )
        assert seen["clients"] == [{"service": "tool", "address": address, "how": "asked"}]

    docker("stop", "--time", "0", home.id_of("gluetun"))
    assert not home.reaches("tool", f"http://{friend}/"), "the kill switch: without the gateway there is no way out"
    (seen,) = check_vpn(home.lab)["gateways"]
    assert seen["verdict"] == "bad"
    docker("start", home.id_of("gluetun"))
    assert not home.reaches("tool", f"http://{friend}/"), "it holds on to a network that is gone"

    plan = propose_set_env(home.lab, home.stack, {"VPN_SERVER_COUNTRIES": "Iceland"}, PERSON)
    assert {s for a in plan.draft.actions for s in a.services} == {"gluetun", "tool"}
    home.apply(plan)
    assert home.reaches("tool", f"http://{friend}/"), "whoever makes the gateway anew makes its clients anew"

    home.apply(propose_vpn(home.lab, PERSON, service="tool", state="off"))
    assert not docker("inspect", "--format", "{{.HostConfig.NetworkMode}}", home.id_of("tool")).startswith("container:")
    assert "stand-in for tool" in home.page()
    after = compose.read_text()
    assert "x-homelab-vpn" not in after
    assert services_of(read(after)) == services_of(read(before))

    moved = propose_vpn(home.lab, PERSON, service="tool", state="on")
    home.apply(moved)
    home.apply(propose_rollback(home.lab, moved.id, PERSON))
    assert compose.read_text() == after, "taken back to the byte"
    assert "stand-in for tool" in home.page(), "and the gateway let go of the port first"
