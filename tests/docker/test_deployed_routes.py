"""The labels of deploy/compose.yaml behind the real Traefik: the token alone on /mcp, the log-in before every page.

Real here: the image that deploy/Dockerfile makes, Compose, Traefik, the certificate authority, every request.
Stand-ins: the log-in (a forward-auth that knows one session), and the socket proxy.
"""

from __future__ import annotations

import json
import re
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import httpx2
import pytest
import yaml
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from homelab_mcp.model.lab import LabSettings
from testbed import Scratch
from testbed.definitions import definition, provide
from testbed.docker_engine import LABEL, docker, wait_until
from testbed.images import ensure_socket_proxy
from tests.docker.lab import PIN, SESSION, RealLab
from tests.docker.test_image import ROOT, built_image
from tests.e2e.http_server import HEADERS, bearer
from tests.e2e.server import ERAS

pytestmark = [pytest.mark.nightly, pytest.mark.timeout(580)]

COMPOSE = (ROOT / "deploy" / "compose.yaml").read_text("utf-8")
ROUTER = re.compile(r"traefik\.http\.routers\.([^.]+)\.rule")
HELLO = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "visitor", "version": "1"},
    },
}
AS_SHIPPED: dict[str, Any] = {
    "by token": "is answered",
    "without token": 401,
    "by session alone": 401,
    "page of a stranger": "to the log-in",
    "page by token": "to the log-in",
    "page of a person": "asks for the PIN",
}
SPOILT: dict[str, tuple[str, dict[str, Any]]] = {
    "as it is shipped": (r"(?!)", {}),
    "the pages without their middleware": (
        r"(?m)^ +traefik\.http\.routers\.homelab-mcp-pages\.middlewares: .*\n",
        {"page of a stranger": "asks for the PIN", "page by token": "asks for the PIN"},
    ),
    "no route for clients": (
        r"(?m)^ +traefik\.http\.routers\.homelab-mcp\..*\n",
        {"by token": "to the log-in", "without token": "to the log-in"},
    ),
}
"""What is cut out of the file, and what then is seen otherwise than above: by that the first case proves something."""


class ByName(httpx2.AsyncHTTPTransport):
    """Asks for one host's certificate, wherever the connection goes: no name server knows the lab's names."""

    def __init__(self, host: str, trust: ssl.SSLContext) -> None:
        super().__init__(verify=trust)
        self._host = host

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        request.extensions = {**request.extensions, "sni_hostname": self._host}
        request.headers["Host"] = self._host
        return await super().handle_async_request(request)


@dataclass
class Deployed:
    """The stack in a folder of its own, with a lab that its server made, behind the Traefik of ``lab``."""

    lab: RealLab
    folder: Path
    token: str = ""

    @property
    def host(self) -> str:
        return f"mcp.{self.lab.domain}"

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.lab.https_port}"

    def compose(self, *command: str, given: str = "", code: int = 0) -> str:
        done = subprocess.run(
            ["docker", "compose", *command],
            cwd=self.folder, input=given, capture_output=True, text=True, check=False, timeout=180,
        )  # fmt: skip
        assert done.returncode == code, (command, done.stdout[-1500:], done.stderr[-1500:])
        return done.stdout

    def said(self, *command: str, given: str = "", code: int = 0, up: bool = True) -> dict[str, Any]:
        """What the program answers, over the lab's files alone: in the running container, or in one of its own."""
        # By ``run`` it would have the labels too: see below.
        way = ("exec",) if up else ("run", "--rm", "--no-deps")
        program = ("homelab-mcp",) if up else ()
        begun = (*way, "-T", "-e", "HOMELAB_FILES_ONLY=1", "homelab-mcp", *program)
        answer: dict[str, Any] = json.loads(self.compose(*begun, *command, "--json", given=given, code=code))
        return answer

    def start(self, text: str) -> None:
        """Bring this compose file up, and wait until Traefik has its routes as its labels say."""
        (self.folder / "compose.yaml").write_text(text, "utf-8")
        self.compose("up", "--detach", "--wait", "--wait-timeout", "120")
        labels = yaml.safe_load(text)["services"]["homelab-mcp"]["labels"]
        named = [found[1] for label in labels if (found := ROUTER.fullmatch(label))]
        told = {
            f"{name}@docker": self.lab.login in labels.get(f"traefik.http.routers.{name}.middlewares", "")
            for name in named
        }

        def routes() -> dict[str, bool]:
            found = [r for r in self.lab.traefik("http/routers") if r["name"].startswith("homelab-mcp")]
            return {r["name"]: self.lab.login in r.get("middlewares", []) for r in found if r["status"] == "enabled"}

        wait_until(lambda: routes() == told, f"Traefik to have {told}", within=60)
        self.lab.once_certified(self.host)
        wait_until(
            lambda: self.lab.https(self.host, "/healthz", cookie=SESSION).status == 200, "the server behind Traefik"
        )

    def ask(self, method: str, path: str, *, body: Any = None, cookie: str = "", token: str = "") -> httpx.Response:
        """One request through Traefik."""
        sent = {"Host": self.host, **(HEADERS if body else {}), **(bearer(token) if token else {})}
        if cookie:
            sent["Cookie"] = cookie
        with httpx.Client(headers=sent, verify=self.lab.trust, timeout=30) as visitor:
            named = {"sni_hostname": self.host}
            return visitor.request(method, self.url + path, json=body, extensions=named)

    def judged(self, answer: httpx.Response) -> str | int:
        """One word on an answer: who it is sent to, or its status."""
        where = answer.headers.get("location", "")
        if answer.status_code == 302 and where.startswith(f"https://auth.{self.lab.domain}/"):
            return "to the log-in"
        if answer.status_code == 303 and where.startswith("/approvals/login"):
            return "asks for the PIN"
        return answer.status_code

    async def tools(self, era: Any) -> set[str]:
        """The tools that the SDK's client is told of, over HTTPS by name, with the token and nothing else."""
        transport = ByName(self.host, self.lab.trust)
        async with (
            httpx2.AsyncClient(headers=bearer(self.token), timeout=30, transport=transport) as http,
            Client(streamable_http_client(f"{self.url}/mcp", http_client=http), mode=era) as client,
        ):
            return {tool.name for tool in (await client.list_tools()).tools}

    def seen(self) -> dict[str, Any]:
        """What each kind of visitor gets."""

        def asks(**given: str) -> str | int:
            answer = self.ask("POST", "/mcp", body=HELLO, **given)
            return "is answered" if answer.is_success and "serverInfo" in answer.text else self.judged(answer)

        def looks(**given: str) -> str | int:
            return self.judged(self.ask("GET", "/approvals/", **given))

        return {
            "by token": asks(token=self.token),
            "without token": asks(),
            "by session alone": asks(cookie=SESSION),
            "page of a stranger": looks(),
            "page by token": looks(token=self.token),
            "page of a person": looks(cookie=SESSION),
        }


@pytest.fixture(scope="module")
def deployed(docker_engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    usual = LabSettings(domain="lab.test")
    there = docker("network", "ls", "--format", "{{.Name}}").split()
    assert usual.route_network not in there, "it is made here"
    parts = [definition("traefik"), definition("authelia")]
    with Scratch() as scratch, built_image(scratch.run_id, tmp_path_factory.mktemp("image")) as image:
        provide(parts)
        ensure_socket_proxy(yaml.safe_load(COMPOSE)["services"]["homelab-mcp-docker"]["image"])
        docker("network", "create", "--label", f"{LABEL}={scratch.run_id}", usual.route_network)
        docker("tag", image, f"homelab-mcp:{scratch.run_id}")
        # The file names the network and the log-in as a lab has them that kept the settings' defaults.
        folder = tmp_path_factory.mktemp("lab")
        lab = RealLab(folder, scratch, routes=usual.route_network, login=usual.sso_middleware)
        for part in parts:
            lab.write(part.id, "core")
        lab.start(but="")
        made = Deployed(lab, folder / "homelab-mcp")
        made.folder.mkdir()
        served = folder / "served"
        served.mkdir()
        # Whose the lab is on the page: the image's user.
        served.chmod(0o777)
        subnet = docker("network", "inspect", "--format", "{{(index .IPAM.Config 0).Subnet}}", usual.route_network)
        values = {
            "HOMELAB_MCP_VERSION": scratch.run_id,
            "HOMELAB_ROOT": str(served),
            "DOMAIN": lab.domain,
            "TRAEFIK_SUBNET": subnet,
        }
        example = (ROOT / "deploy" / "env.example").read_text("utf-8")
        for name, value in values.items():
            example, count = re.subn(rf"(?m)^{name}=.*$", f"{name}={value}", example)
            assert count == 1, name
        (made.folder / ".env").write_text(example, "utf-8")
        (made.folder / "compose.yaml").write_text(COMPOSE, "utf-8")
        scratch.claim_project(made.folder.name)
        try:
            made.said("init", "--domain", lab.domain, "--pin-file", "-", given=f"{PIN}\n", up=False)
            made.token = made.said("token", "create", "laptop", "--scope", "read,plan", up=False)["token"]
            yield made
        finally:
            made.compose("down", "--volumes")
            docker("rmi", f"homelab-mcp:{scratch.run_id}")


@pytest.mark.parametrize("cut", SPOILT)
def test_each_visitor_gets_through_traefik_what_the_labels_say(deployed: Deployed, cut: str) -> None:
    pattern, otherwise = SPOILT[cut]
    text = re.sub(pattern, "", COMPOSE)
    assert (text == COMPOSE) is (not otherwise), "the file has other lines now"
    deployed.start(text)
    assert deployed.seen() == {**AS_SHIPPED, **otherwise}


async def test_clients_list_tools_and_a_person_reads_the_plan_behind_both_log_ins(deployed: Deployed) -> None:
    deployed.start(COMPOSE)
    for era in ERAS:
        assert {"lab_status", "add_service"} <= await deployed.tools(era), era
    assert deployed.lab.http(deployed.host, "/approvals/").headers["location"].startswith(f"https://{deployed.host}")

    plan = deployed.said("add", "uptime-kuma", "--plan-only", code=3)
    name, _, value = SESSION.partition("=")
    origin = {"Origin": f"https://{deployed.host}"}
    known = {"sni_hostname": deployed.host}
    with httpx.Client(
        base_url=deployed.url,
        headers={"Host": deployed.host},
        cookies={name: value},
        verify=deployed.lab.trust,
        timeout=30,
    ) as browser:
        assert browser.get("/approvals/login", extensions=known).status_code == 200
        posted = browser.post("/approvals/login", data={"pin": PIN}, headers=origin, extensions=known)
        assert posted.status_code == 303, posted.text
        assert plan["summary"] in browser.get("/approvals/", extensions=known).text
        browser.cookies.delete(name)
        # The PIN's session is no log-in of the lab.
        assert deployed.judged(browser.get("/approvals/", extensions=known)) == "to the log-in"


ASIDE = "--label traefik.enable=false"


CONSTRAINT = "--providers.docker.constraints="


@contextmanager
def another_traefik(lab: RealLab) -> Iterator[None]:
    """Traefik without the catalog's word on containers of ``run``."""
    core = Path(lab.root, "core", "compose.yaml")
    text = core.read_text("utf-8")
    lines = text.splitlines(keepends=True)
    kept = [line for line in lines if CONSTRAINT not in line]
    assert len(kept) == len(lines) - 1
    try:
        for written in ("".join(kept), text):
            core.write_text(written, "utf-8")
            with lab.compose("core", "up", "--detach", "--no-deps", "--wait", "traefik") as started:
                assert started.wait(120) == 0
            if written != text:
                yield
    finally:
        core.write_text(text, "utf-8")


@pytest.mark.parametrize(
    ("words", "catalogs", "seen"), [("", True, {200}), ("", False, {200, 500}), (ASIDE, False, {200})]
)
def test_a_container_by_run_beside_the_server_gets_no_request(
    deployed: Deployed, words: str, catalogs: bool, seen: set[int]
) -> None:
    """It has the service's labels and is not healthy: Traefik counts it as one more server.

    The catalog's Traefik leaves such containers out; before another one the page's words do.
    """
    page = (ROOT / "docs" / "installing.md").read_text("utf-8")
    assert f"docker compose run --rm {ASIDE} homelab-mcp access set" in page
    with nullcontext() if catalogs else another_traefik(deployed.lab):
        deployed.start(COMPOSE)

        def statuses() -> set[int]:
            return {deployed.lab.https(deployed.host, "/healthz", cookie=SESSION).status for _ in range(8)}

        assert statuses() == {200}
        command = ("--entrypoint", "python", "homelab-mcp", "-c", "import time; time.sleep(300)")
        box = deployed.compose("run", "--detach", "--no-deps", *words.split(), *command).strip()
        try:
            if seen == {200}:
                # Traefik gathers changes for two seconds before it takes them up.
                time.sleep(6)
            wait_until(lambda: statuses() == seen, f"{seen} from Traefik")
        finally:
            docker("rm", "--force", box)
        wait_until(lambda: statuses() == {200}, "the server alone behind Traefik again")
