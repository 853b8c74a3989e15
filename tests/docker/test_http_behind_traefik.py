"""`serve --http` behind the real Traefik, with a sign-on portal's stand-in in front of one of its two routes."""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from testbed import LocalImage, Scratch
from testbed.docker_engine import docker, wait_until
from tests.docker.lab import SESSION
from tests.e2e.http_server import HEADERS, PING, Served, bearer, client_of, self_signed, serving
from tests.e2e.server import ERAS, Era, LabOnDisk, call, data

ROUTES = """\
http:
  routers:
    signed-on: {{rule: "Host(`mcp.lab.test`)", service: mcp, middlewares: [login], tls: {{}}}}
    by-token: {{rule: "Host(`api.lab.test`) && PathPrefix(`/mcp`)", service: mcp, tls: {{}}}}
    stray: {{rule: "Host(`other.lab.test`)", service: mcp, tls: {{}}}}
  middlewares:
    login: {{forwardAuth: {{address: "http://portal:80/api/authz/forward-auth"}}}}
  services:
    mcp: {{loadBalancer: {{servers: [{{url: "http://{server}"}}]}}}}
tls:
  stores: {{default: {{defaultCertificate: {{certFile: /etc/both.pem, keyFile: /etc/both.pem}}}}}}
"""


@dataclass
class Front:
    """The way in through Traefik."""

    url: str
    trust: ssl.SSLContext
    token: str
    served: Served

    def post(self, host: str, **headers: str) -> httpx.Response:
        return httpx.post(self.url, json=PING, headers={**HEADERS, "Host": host, **headers}, verify=self.trust)


@pytest.fixture(scope="module")
def front(
    testbed_run: Scratch,
    traefik_image: str,
    stand_in: Callable[..., LocalImage],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Front]:
    folder = tmp_path_factory.mktemp("front")
    network = testbed_run.network("front")
    subnet = docker("network", "inspect", "--format", "{{range .IPAM.Config}}{{.Subnet}}{{end}}", network)
    # Docker gives the bridge itself, which is this machine's end, the first address.
    gateway = str(ipaddress.ip_network(subnet)[1])
    portal = stand_in("homelab-tests/portal:1", variant="forward_auth").reference
    testbed_run.container(portal, what="portal", network=network, aliases=["portal"])
    lab = LabOnDisk(folder / "stacks", {"HOMELAB_FILES_ONLY": "1"})
    lab.root.mkdir()
    lab.init()
    token = lab.json("token", "create", "laptop", "--scope", "read,plan")["token"]
    options = ("--rate", "0", "--allow-host", "mcp.lab.test", "--allow-host", "api.lab.test", "--behind-proxy", subnet)
    certificate = self_signed(folder)
    with serving(lab, *options, host=gateway) as served:
        box = testbed_run.container(
            traefik_image,
            "--entrypoints.websecure.address=:443",
            "--providers.file.filename=/etc/routes.yaml",
            network=network,
            publish={443: None},
            files={
                "/etc/routes.yaml": ROUTES.format(server=f"{gateway}:{served.port}").encode(),
                "/etc/both.pem": certificate.read_bytes(),
            },
        )
        trust = ssl.create_default_context(cafile=str(certificate))
        made = Front(f"https://127.0.0.1:{box.published_port(443)}/mcp", trust, token, served)

        def routed() -> bool:
            try:
                return made.post("api.lab.test").status_code == 401
            except httpx.TransportError:
                return False

        wait_until(routed, f"Traefik to route ({box.logs()})")
        yield made
    assert token not in "".join(served.said) + box.logs()


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("host", ["api.lab.test", "mcp.lab.test"])
async def test_a_client_with_its_token_works_through_traefik(front: Front, era: Era, host: str) -> None:
    headers = {"Host": host, **({"Cookie": SESSION} if host == "mcp.lab.test" else {})}
    async with client_of(front.url, front.token, era, headers=headers, verify=front.trust) as client:
        assert "apply_plan" not in {tool.name for tool in (await client.list_tools()).tools}
        plan = data(await call(client, "add_service", service="uptime-kuma", stack="monitoring"))
    assert plan["state"] == "pending"


@pytest.mark.timeout(300)
async def test_no_answer_of_many_is_cut_on_its_way(front: Front) -> None:
    # The older revision's answers begin the moment a request is read: what Go's proxies cut now and then.
    for _ in range(4):
        headers = {"Host": "api.lab.test"}
        async with client_of(front.url, front.token, "legacy", headers=headers, verify=front.trust) as client:
            for _ in range(10):
                await client.list_tools()
                await call(client, "search_catalog", query="photos")
    # A refusal is an answer as well.
    assert {front.post("api.lab.test").status_code for _ in range(20)} == {401}


def test_the_portal_is_no_token_and_a_token_is_no_log_in(front: Front) -> None:
    sent_away = front.post("mcp.lab.test", **bearer(front.token))
    assert sent_away.status_code == 302
    assert sent_away.headers["Location"].startswith("https://auth.lab.test/")
    logged_in: dict[str, Any] = {"Cookie": SESSION}
    assert front.post("mcp.lab.test", **logged_in).json()["error"]["message"].startswith("A bearer token is needed")
    assert front.post("api.lab.test").status_code == 401


def test_a_route_that_the_server_was_not_told_of_is_sent_away(front: Front) -> None:
    assert front.post("other.lab.test", **bearer(front.token)).status_code == 421


def test_pages_are_told_apart_by_what_the_browser_saw(front: Front) -> None:
    def status(origin: str) -> int:
        return front.post("api.lab.test", **bearer(front.token), Origin=origin).status_code

    assert status("https://api.lab.test") not in (401, 403, 421)
    assert status("http://api.lab.test") == 403
    assert status("https://evil.example") == 403


def test_who_asks_is_what_traefik_says_and_not_what_the_client_says(front: Front) -> None:
    def refused() -> list[str]:
        return [line for line in front.served.said if "refused a request from" in line]

    # The server's log begins long before, and the fixture was refused too: it is this request's line that tells.
    before = len(refused())
    assert front.post("api.lab.test", **{"X-Forwarded-For": "192.0.2.77"}).status_code == 401
    wait_until(lambda: len(refused()) > before, "the server's word on this request")
    assert "192.0.2.77" not in "".join(front.served.said)


def test_around_traefik_the_server_asks_all_the_same(front: Front) -> None:
    assert front.served.post().status_code == 401
    assert front.served.post(**bearer(front.token)).status_code not in (401, 403, 421)
