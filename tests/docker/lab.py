"""A lab on the real engine whose names no other lab has, and what a person and a browser do with it."""

from __future__ import annotations

import json
import os
import socket
import ssl
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from homelab_mcp.bootstrap import LocalLab, open_lab
from homelab_mcp.model.plan import Plan, PlanState, PlanStatus, Requester
from homelab_mcp.workflow.assembly import applier, approvals
from homelab_mcp.workflow.init_lab import init_lab
from homelab_mcp.workflow.proposals import propose_add_service
from homelab_mcp.workflow.verifier import Patience
from testbed import Scratch, TestbedError, free_port, start_acme_ca
from testbed.acme import ChallengeDns
from testbed.docker_engine import docker, wait_until

PIN = "27182818"
SESSION = "stand-in-session=person"
"""What the log-in stand-in takes for a logged-in person."""
TUN = Path("/dev/net/tun")
REQUESTER = Requester("cli")
WATCHED = Patience(stable=5)
"""A stand-in without a health check is watched for less than a real service: none of these falls later."""


@dataclass(frozen=True)
class Answer:
    """An HTTP answer; ``verified`` is always true for HTTPS, since an untrusted certificate raises."""

    status: int
    headers: dict[str, str]
    body: str


class RealLab:
    """A lab under ``folder``: loopback ports, domain ``<run>.lab.test``, every name with the run's id at its end.

    With ``dns`` (on the network ``routes``) it gets one wildcard certificate by DNS-01, else one a route by TLS-ALPN-01
    or, with ``challenge`` "http", HTTP-01. The log-in's middleware is the run's own, or ``login``.
    """

    def __init__(
        self,
        folder: Path,
        scratch: Scratch,
        *,
        dns: ChallengeDns | None = None,
        routes: str = "",
        days: int = 0,
        challenge: str = "tls",
        login: str = "",
    ) -> None:
        self.scratch = scratch
        self.run = scratch.run_id
        self.root = folder / "stacks"
        self.domain = f"r{self.run}.lab.test"
        self.http_port, self.https_port = free_port(), free_port()
        self.routes, self.internal = routes or scratch.network("routes"), scratch.network("internal")
        self.media = scratch.network("media")
        # As any other user than root, files cannot be given away: then services run as who runs the tests.
        self.owner = (1234, 1235) if os.getuid() == 0 else (os.getuid(), os.getgid())
        self.login = login or f"login-{self.run}@docker"
        ca = self.ca = start_acme_ca(scratch, self.routes, folder, dns=dns.address if dns else "", days=days)
        certificate = folder / "root.pem"
        certificate.write_text(ca.root_pem)
        self.trust = ca.ssl_context()
        self.trust.set_alpn_protocols(["http/1.1"])
        values = {
            "domain": self.domain,
            "email": "person@example.org",
            "puid": self.owner[0],
            "pgid": self.owner[1],
            "media_dir": str(folder / "media"),
            "downloads_dir": str(folder / "downloads"),
            "bind_address": "127.0.0.1",
            "http_port": self.http_port,
            "https_port": self.https_port,
            "route_network": self.routes,
            "internal_network": self.internal,
            "media_network": self.media,
            "sso_middleware": self.login,
            "acme.challenge": challenge,
            "acme.ca_server": ca.directory_url,
            "acme.ca_certificate": str(ca.api_ca),
            "acme.root_certificate": str(certificate),
        }
        if dns:
            values |= {
                "acme.challenge": "dns",
                "acme.dns_provider": "httpreq",
                "acme.resolvers": [dns.address],
                "acme.propagation_wait": 1,
            }
        for name in ("media", "downloads"):
            (folder / name).mkdir()
        init_lab(open_lab(str(self.root), files_only=True), values, PIN)
        self.stacks: list[str] = []

    def named(self, what: str) -> str:
        """The name of a service or stack in this lab."""
        return f"{what}-{self.run}"

    def open(self, *, files_only: bool) -> LocalLab:
        """The lab as a fresh process sees it."""
        return open_lab(str(self.root), files_only=files_only)

    def stack(self, what: str) -> str:
        """The stack's name, promised to be removed at the end."""
        name = self.named(what)
        if name not in self.stacks:
            self.stacks.append(self.scratch.claim_project(name))
        return name

    def plan(self, service: str, stack: str, *, files_only: bool, **options: Any) -> Plan:
        """What a person gets to see who asks for a service."""
        given = {"name": self.named(service), **options}
        return propose_add_service(self.open(files_only=files_only), service, self.stack(stack), given, REQUESTER)

    def approve_and_apply(self, plan: Plan, *, files_only: bool) -> PlanStatus:
        """A person's signed yes, and the apply in this process."""
        lab = self.open(files_only=files_only)
        approvals(lab).out_of_band(plan.id, PIN, who="test", approved=True)
        return applier(lab, WATCHED).run(plan.id)

    def write(self, service: str, stack: str, **options: Any) -> None:
        """Add a service to the files, starting nothing."""
        status = self.approve_and_apply(self.plan(service, stack, files_only=True, **options), files_only=True)
        assert status.state is PlanState.DONE, status

    def compose(self, stack: str, *command: str) -> subprocess.Popen[str]:
        """``docker compose`` in a stack's folder, as a person types it."""
        return subprocess.Popen(
            ["docker", "compose", "--ansi", "never", *command],
            cwd=self.root / stack,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def start(self, *, but: str) -> None:
        """``docker compose up`` on every stack but one at once, until all is healthy."""
        wanted = ("up", "--detach", "--no-build", "--wait", "--wait-timeout", "150")
        begun = {stack: self.compose(stack, *wanted) for stack in self.stacks if stack != but}
        failed = {}
        for stack, process in begun.items():
            _, said = process.communicate(timeout=180)
            if process.returncode != 0:
                failed[stack] = said[-1500:]
        assert not failed, failed

    def files(self) -> dict[str, tuple[bytes, int, int]]:
        """Content, mode and owner of every file of the lab but git's, our own, and Traefik's store of certificates."""
        found = {}
        for path in sorted(self.root.rglob("*")):
            below = path.relative_to(self.root)
            if path.is_file() and not {".git", ".homelab", "acme.json"} & set(below.parts):
                status = path.stat()
                found[str(below)] = (path.read_bytes(), stat.S_IMODE(status.st_mode), status.st_uid)
        return found

    def git(self, *command: str) -> str:
        """What git says of the lab."""
        own = ["git", "-c", "safe.directory=*", "-C", str(self.root), *command]
        return subprocess.run(own, capture_output=True, text=True, check=True, timeout=20).stdout

    def https(
        self, host: str, path: str = "/", *, cookie: str = "", any_certificate: bool = False, within: float = 10
    ) -> Answer:
        """GET through Traefik; raises ssl.SSLCertVerificationError for a certificate that is not the CA's.

        With ``any_certificate`` Traefik's own, which it shows until the CA's is there, is taken too. TimeoutError where
        nothing comes for ``within`` seconds.
        """
        trust = self.trust
        if any_certificate:
            trust = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            trust.check_hostname, trust.verify_mode = False, ssl.CERT_NONE
        with (
            socket.create_connection(("127.0.0.1", self.https_port), timeout=within) as plain,
            trust.wrap_socket(plain, server_hostname=host) as secure,
        ):
            return _ask(secure, host, path, cookie)

    def http(self, host: str, path: str = "/") -> Answer:
        """GET without TLS."""
        with socket.create_connection(("127.0.0.1", self.http_port), timeout=10) as plain:
            return _ask(plain, host, path, "")

    def once_certified(self, host: str) -> Answer:
        """The first answer with the CA's certificate for that host, which takes Traefik a moment to get."""

        def answer() -> Answer | None:
            try:
                return self.https(host)
            except (ssl.SSLError, ConnectionError):
                return None

        try:
            return wait_until(answer, f"a certificate for {host}", within=90, every=0.2)
        except TestbedError as error:
            # Why is in Traefik's log alone, and that goes with the lab.
            raise TestbedError(f"{error}; Traefik's log ends: {self.said('traefik')}") from None

    def said(self, what: str, lines: int = 30) -> str:
        """The end of a service's log, for a failure's words."""
        label = f"label=com.docker.compose.service={self.named(what)}"
        found = docker("ps", "--all", "--quiet", "--filter", label).split()
        command = ["docker", "logs", "--tail", str(lines), *found[:1]]
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
        return done.stdout + done.stderr

    def traefik(self, path: str) -> Any:
        """What Traefik's own API says, asked through its own protected route."""
        found = self.https(f"traefik.{self.domain}", f"/api/{path}?per_page=1000", cookie=SESSION)
        assert found.status == 200, found
        return json.loads(found.body)

    def inspect(self, container: str) -> dict[str, Any]:
        """``docker inspect``."""
        found: dict[str, Any] = json.loads(docker("inspect", container))[0]
        return found


def _ask(connection: socket.socket, host: str, path: str, cookie: str) -> Answer:
    extra = f"Cookie: {cookie}\r\n" if cookie else ""
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n{extra}Connection: close\r\n\r\n".encode())
    received = b""
    while chunk := connection.recv(65536):
        received += chunk
    head, _, body = received.partition(b"\r\n\r\n")
    first, *rest = head.decode("latin-1").split("\r\n")
    headers = {k.strip().lower(): v.strip() for k, _, v in (line.partition(":") for line in rest)}
    if headers.get("transfer-encoding") == "chunked":
        body = _joined(body)
    return Answer(int(first.split()[1]), headers, body.decode(errors="replace"))


def _joined(chunked: bytes) -> bytes:
    whole = b""
    while chunked:
        size, _, rest = chunked.partition(b"\r\n")
        count = int(size, 16)
        whole, chunked = whole + rest[:count], rest[count + 2 :]
        if count == 0:
            break
    return whole


@contextmanager
def tunnel_device() -> Iterator[None]:
    """``/dev/net/tun``, which the VPN gateway is given; made by hand where this machine lacks it, and gone after.

    Raises:
        TestbedError: it is missing and cannot be made.
    """
    if TUN.exists():
        yield
        return
    try:
        TUN.parent.mkdir(exist_ok=True)
        # The node is all that a stand-in needs; no tunnel is opened (Linux, Documentation/admin-guide/devices.txt).
        os.mknod(TUN, stat.S_IFCHR | 0o600, os.makedev(10, 200))
    except OSError as error:
        raise TestbedError(f"{TUN} is missing, and making it needs root: {error.strerror}") from error
    try:
        yield
    finally:
        TUN.unlink()
