"""From an empty home folder, by what the docs and the commands say: each client is connected, adds, approves, applies.

The client's part is done as its makers document it: its file is read where it keeps it, what the file refers to is
filled in, and what comes out is started or called with the SDK's client. Every word that is typed was told by the page
or by the command before. By day in a lab of files alone; by night on a real engine too, behind the real Traefik of the
page's third step, with stand-ins for the other services' images.
"""

from __future__ import annotations

import json
import re
import shlex
import socket
import ssl
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from mcp import Client, StdioServerParameters

from testbed import free_port
from testbed.definitions import definition, provide
from testbed.docker_engine import docker, wait_until
from tests.doc_pages import ROOT
from tests.e2e.http_server import client_of
from tests.e2e.server import PIN, data, words

pytestmark = pytest.mark.timeout(300)

CORE = ("traefik", "authelia", "sablier", "dockge", "homepage")
SERVICES = ("uptime-kuma", "jellyfin", "grafana", "it-tools", "dozzle", "whoami", "sonarr", "radarr", "gitea", "ntfy")
"""What is added, one by each client; the first is the page's own example."""


@dataclass
class Person:
    """Somebody at a terminal, with an empty home folder and no variable set but those a log-in sets."""

    home: Path
    lab: Path
    engine: bool
    services: Iterator[str] = field(default_factory=lambda: iter(SERVICES))
    """What nobody has added yet."""

    @property
    def options(self) -> list[str]:
        """The lab's folder stands in for /opt/stacks."""
        return ["--root", str(self.lab), *([] if self.engine else ["--files-only"])]

    def env(self) -> dict[str, str]:
        # The page links the command into /usr/local/bin; here its folder is on the PATH.
        path = f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin"
        return {"HOME": str(self.home), "PATH": path, "LANG": "C.UTF-8"}

    def types(self, line: str, stdin: str = "", code: int = 0) -> str:
        """One line; all that is on the screen then."""
        done = self.run(line, stdin, code)
        return done.stdout + done.stderr

    def run(self, line: str, stdin: str = "", code: int = 0) -> subprocess.CompletedProcess[str]:
        """The same by stream."""
        program, *rest = shlex.split(line)
        assert program == "homelab-mcp"
        done = subprocess.run(
            [program, *self.options, *rest],
            env=self.env(), cwd=self.home, input=stdin, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == code, (line, done.returncode, done.stdout, done.stderr)
        return done


@pytest.fixture(scope="module", params=["files", pytest.param("engine", marks=pytest.mark.nightly)])
def person(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Person]:
    """Somebody who came as far as the page's fourth step."""
    folder = tmp_path_factory.mktemp("from-nothing")
    (folder / "home").mkdir()
    found = Person(folder / "home", folder / "stacks", engine=request.param == "engine")
    if found.engine:
        taken = docker("ps", "--all", "--quiet").split()
        assert not taken, "the page's lab has its own names and ports 80 and 443: run it by script/own-engine"
        provide(definition(name) for name in (*CORE, *SERVICES))
    told = found.types("homelab-mcp init --pin-file -", stdin=f"{PIN}\n")
    assert "home.arpa" in told, "the page says that this is the default"
    found.types("homelab-mcp init --core --plan-only", code=3)
    # No terminal here: it says what to type instead of asking for the PIN.
    (approve,) = re.findall(r"Next: (homelab-mcp .*approve .+)", found.types("homelab-mcp init --core", code=3))
    found.types(f"{approve} --pin-file -", stdin=f"{PIN}\n")
    assert (found.lab / "core" / "compose.yaml").is_file()
    yield found
    if found.engine:
        docker("rm", "--force", *docker("ps", "--all", "--quiet").split())


def written(person: Person, name: str) -> dict[str, Any]:
    """The entry in the client's own file, as it looks for it: of its key, in its place."""
    files: dict[str, tuple[str, str]] = {
        "vscode": (".vscode/mcp.json", "servers"),
        "claude": (".config/Claude/claude_desktop_config.json", "mcpServers"),
        "cursor": (".cursor/mcp.json", "mcpServers"),
        "codex": (".codex/config.toml", "mcp_servers"),
        "generic": ("mcp.json", "mcpServers"),
    }
    file, key = files[name]
    text = (person.home / file).read_text("utf-8")
    found: dict[str, Any] = (tomllib.loads(text) if file.endswith(".toml") else json.loads(text))[key]["homelab"]
    return found


async def add_approve_apply(person: Person, client: Client) -> None:
    """As the page's last step: the model plans, the client shows no dialog, the person types what they are told."""
    assert {"add_service", "apply_plan"} <= {tool.name for tool in (await client.list_tools()).tools}
    service = next(person.services)
    plan = data(await client.call_tool("add_service", {"service": service}))
    refused = words(await client.call_tool("apply_plan", {"plan_id": plan["plan_id"]}))
    (command,) = re.findall(r"homelab-mcp --root \S+ approve \w+", refused)
    assert not there(person, service)
    person.types(f"{command} --pin-file -", stdin=f"{PIN}\n")
    state = data(await client.call_tool("apply_plan", {"plan_id": plan["plan_id"]}))["state"]
    if state == "applying":
        state = data(await client.call_tool("get_plan", {"plan_id": plan["plan_id"], "wait": 45}))["state"]
    assert state == "done"
    assert there(person, service)
    assert plan["plan_id"] in person.types("homelab-mcp history")


def there(person: Person, service: str) -> bool:
    """Whether some stack's file has it; with an engine, whether it runs, and Traefik asks who wants to see it."""
    written = any(f"\n  {service}:\n" in file.read_text("utf-8") for file in person.lab.glob("*/compose.yaml"))
    if written and person.engine:
        state = "{{if .State.Health}}{{.State.Health.Status}}{{else}}{{.State.Status}}{{end}}"
        assert docker("inspect", "--format", state, service).strip() in {"healthy", "running"}
        route = definition(service).route
        assert route is not None
        assert asked(f"{route.subdomain}.home.arpa") in {200, 302}
    return written


def asked(host: str) -> int:
    """The status of Traefik's answer for a name, under a certificate that nobody signed, as the page says."""
    trust = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trust.check_hostname, trust.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection(("127.0.0.1", 443), timeout=10) as plain,
        trust.wrap_socket(plain, server_hostname=host) as secure,
    ):
        secure.sendall(f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        return int(secure.makefile("rb").readline().split()[1])


@pytest.mark.parametrize("name", ["vscode", "claude", "cursor", "codex", "generic"])
async def test_a_client_that_starts_its_servers_adds_a_service(person: Person, name: str) -> None:
    assert f"homelab-mcp connect {name} --write" in page_for(name)
    told = person.types(f"homelab-mcp connect {name} --write --yes")
    assert "ask it what runs in your lab" in told
    entry = written(person, name)
    assert entry.pop("type", "stdio") == "stdio"
    server = StdioServerParameters(command=entry["command"], args=entry["args"], env=person.env())
    async with Client(server) as client:
        await add_approve_apply(person, client)


def page_for(name: str) -> str:
    """The page's line for that client: the listed one, or one of those that its comment names."""
    page = (ROOT / "docs" / "getting-started.md").read_text("utf-8")
    line, _, others = page.partition("homelab-mcp connect vscode --write")[2].partition("\n")[0].partition("# or: ")
    assert line.strip() == ""
    assert name in ("vscode", *re.findall(r"\w+", others)), others
    return f"homelab-mcp connect {name} --write"


def from_openwebui(entry: dict[str, Any], token: str) -> tuple[str, dict[str, str]]:
    # As its backend does: the key is sent where the authentication is "bearer".
    assert (entry["type"], entry["auth_type"], entry["key"]) == ("mcp", "bearer", "")
    return entry["url"], {"Authorization": f"Bearer {token}"}


def from_codex(entry: dict[str, Any], token: str) -> tuple[str, dict[str, str]]:
    assert entry["bearer_token_env_var"] == "HOMELAB_MCP_TOKEN"
    return entry["url"], {"Authorization": f"Bearer {token}"}


def from_headers(secret: str) -> Callable[[dict[str, Any], str], tuple[str, dict[str, str]]]:
    def read(entry: dict[str, Any], token: str) -> tuple[str, dict[str, str]]:
        assert secret in json.dumps(entry["headers"])
        return entry["url"], {key: value.replace(secret, token) for key, value in entry["headers"].items()}

    return read


OVER_HTTP: dict[str, Callable[[dict[str, Any], str], tuple[str, dict[str, str]]]] = {
    "vscode": from_headers("${input:homelab-token}"),
    "cursor": from_headers("${env:HOMELAB_MCP_TOKEN}"),
    "codex": from_codex,
    "generic": from_headers("${HOMELAB_MCP_TOKEN}"),
    "openwebui": from_openwebui,
}


@pytest.mark.parametrize(
    "name",
    # The others differ from these two in how their file says it, and wait for the night.
    [pytest.param(name, marks=() if name in ("vscode", "openwebui") else pytest.mark.nightly) for name in OVER_HTTP],
)
async def test_a_client_over_http_adds_a_service_with_the_token_it_is_told_to_make(person: Person, name: str) -> None:
    address = f"127.0.0.1:{free_port()}"
    if name == "openwebui":  # keeps no file: a person enters what is shown
        shown = person.run(f"homelab-mcp connect openwebui --http http://{address}/mcp")
        told, entry = shown.stderr, json.loads(shown.stdout)["TOOL_SERVER_CONNECTIONS"]["homelab"]
    else:
        told = person.types(f"homelab-mcp connect {name} --http http://{address} --write --yes")
        entry = written(person, name)
    (make,) = re.findall(r"`(homelab-mcp token create [^`]+)`", told)
    token = person.run(make).stdout.strip()
    assert token not in told
    url, headers = OVER_HTTP[name](entry, token)
    with served(person, address):
        async with client_of(url, headers=headers) as client:
            await add_approve_apply(person, client)
        with pytest.raises(BaseExceptionGroup):
            async with client_of(url) as stranger:
                await stranger.list_tools()


@contextmanager
def served(person: Person, address: str) -> Iterator[None]:
    """The server, started as the page says, until the client is done."""
    argv = ["homelab-mcp", *person.options, "serve", "--http", address]
    with subprocess.Popen(argv, env=person.env(), cwd=person.home, stderr=subprocess.DEVNULL) as process:
        try:
            wait_until(lambda: answers(address), "the server", within=120)
            assert process.poll() is None
            yield
        finally:
            process.terminate()
            process.wait(60)


def answers(address: str) -> bool:
    """Whether a server listens there."""
    try:
        return httpx.get(f"http://{address}/healthz", timeout=5).status_code == 200
    except httpx.TransportError:
        return False
