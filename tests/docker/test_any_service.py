"""Services that no catalog knows, and devices outside of the lab, live behind the real Traefik.

Real here: Docker, Compose, Traefik, the ACME certificate authority, every certificate and request, the device's own
certificate and its web socket. Stand-ins: the log-in and the services' programs (small web servers).
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from homelab_mcp.adapters.catalog_files import packaged_definitions
from homelab_mcp.core.traefik.dynamic import MIDDLEWARES
from homelab_mcp.model.plan import Plan, PlanState, Risk
from homelab_mcp.workflow.proposals import propose_rollback
from homelab_mcp.workflow.propose_any import propose_custom, propose_import
from homelab_mcp.workflow.propose_external import external_rows, propose_external, propose_remove_external
from testbed import Scratch, stand_in
from testbed.definitions import provide
from testbed.docker_engine import docker, wait_until
from testbed.own_device import OwnDevice, own_device
from tests.docker.lab import REQUESTER, SESSION, RealLab

pytestmark = pytest.mark.timeout(240)

IMAGES = {"paint": [3000], "notes": [80], "store": [6379]}


@pytest.fixture(scope="module")
def lab(docker_engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealLab]:
    with Scratch() as scratch:
        provide(d for d in packaged_definitions() if d.id in {"traefik", "authelia"})
        for name, ports in IMAGES.items():
            stand_in(f"homelab-testbed/{name}:any", service=name, ports=ports)
        made = RealLab(tmp_path_factory.mktemp("lab"), scratch)
        made.write("authelia", "core")
        made.write("traefik", "core")
        made.start(but="")
        made.once_certified(f"traefik.{made.domain}")
        yield made


@pytest.fixture(scope="module")
def device(lab: RealLab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnDevice]:
    """A machine beside the lab: this one, as containers reach it."""
    gateway = lab.inspect(lab.named("traefik"))["NetworkSettings"]["Networks"][lab.routes]["Gateway"]
    with own_device(gateway, tmp_path_factory.mktemp("device")) as made:
        yield made


def applied(lab: RealLab, plan: Plan) -> Plan:
    status = lab.approve_and_apply(plan, files_only=False)
    assert status.state is PlanState.DONE, status
    return plan


def served(lab: RealLab, sub: str, service: str) -> None:
    """302 without a session, the service's page with one."""
    host = f"{sub}.{lab.domain}"
    stranger = lab.once_certified(host)
    assert stranger.status == 302, stranger
    assert stranger.headers["location"].startswith(f"https://auth.{lab.domain}/")
    known = lab.https(host, cookie=SESSION)
    assert (known.status, known.body.splitlines()[0]) == (200, f"stand-in for {service}")


def router(lab: RealLab, name: str) -> dict[str, Any]:
    (found,) = (r for r in lab.traefik("http/routers") if r["name"] == name)
    return dict(found)


def test_a_custom_service_is_live_by_what_its_image_says(lab: RealLab) -> None:
    before = lab.files()
    name = lab.named("paint")
    stack = lab.stack("paint")
    values = {
        "name": name, "image": "homelab-testbed/paint:any", "stack": stack, "subdomain": "paint",
        "volumes": ["/data"], "generate": ["APP_SECRET"], "environment": {"COLOUR": "a $blue"},
        "health": "wget -q -O /dev/null http://127.0.0.1:3000/",
    }  # fmt: skip
    plan = applied(lab, propose_custom(lab.open(files_only=False), values, REQUESTER))
    assert any("port 3000" in n for n in plan.draft.notes), "as EXPOSE says"
    served(lab, "paint", "paint")
    seen = lab.inspect(name)
    assert seen["State"]["Health"]["Status"] == "healthy"
    assert seen["HostConfig"]["Memory"] == 256 * 1024 * 1024
    assert "COLOUR=a $blue" in seen["Config"]["Env"]
    assert next(len(v) for v in seen["Config"]["Env"] if v.startswith("APP_SECRET=")) == len("APP_SECRET=") + 32
    folder = (lab.root / stack / name / "data").stat()
    assert (folder.st_uid, folder.st_gid) == lab.owner
    undo = propose_rollback(lab.open(files_only=False), plan.id, REQUESTER)
    applied(lab, undo)
    assert lab.files() == before


def test_an_imported_stack_of_two_is_live_and_its_store_is_its_own(lab: RealLab) -> None:
    text = """services:
  web:
    image: homelab-testbed/notes:any
    container_name: notes_web
    ports: ["8099:80"]
    depends_on: [store]
    environment: {STORE: "redis://:changeme@store:6379", TZ: Europe/Rome}
    volumes: [notes_data:/data, /etc/localtime:/etc/localtime:ro]
    restart: always
  store:
    image: homelab-testbed/store:any
    ports: ["6379:6379"]
volumes: {notes_data: {}}
"""
    name = lab.named("notes")
    values = {"text": text, "stack": lab.stack("notes"), "name": name, "subdomain": "notes"}
    plan = applied(lab, propose_import(lab.open(files_only=False), values, REQUESTER))
    assert plan.risk is Risk.MEDIUM, plan.reasons
    served(lab, "notes", "notes")
    web, store = lab.inspect(name), lab.inspect(f"{name}-store")
    private = f"{values['stack']}_{name}-private"
    assert set(store["NetworkSettings"]["Networks"]) == {private}
    assert set(web["NetworkSettings"]["Networks"]) == {private, lab.routes, lab.internal}
    assert not web["HostConfig"]["PortBindings"] and not store["HostConfig"]["PortBindings"]
    assert router(lab, f"{name}@docker")["middlewares"] == [*MIDDLEWARES, lab.login]
    # By the name that the text gave it, so that what was written into settings still leads there.
    assert "stand-in for store" in docker("exec", name, "/bin/busybox", "wget", "-q", "-O", "-", "http://store:6379/")


def test_an_imported_command_line_is_live(lab: RealLab) -> None:
    name = lab.named("sketch")
    text = (
        f"# as the manual says\nsudo docker run -d \\\n  --name {name} --restart=always -p 8098:3000 \\\n"
        '  -v "$(pwd)/sketch data":/data -e ADMIN_PASSWORD=admin --memory 128m --init homelab-testbed/paint:any'
    )
    values = {"text": text, "stack": lab.stack("sketch"), "subdomain": "sketch"}
    plan = applied(lab, propose_import(lab.open(files_only=False), values, REQUESTER))
    served(lab, "sketch", "paint")
    seen = lab.inspect(name)
    assert seen["HostConfig"]["Memory"] == 128 * 1024 * 1024
    assert seen["HostConfig"]["RestartPolicy"]["Name"] == "unless-stopped"
    (password,) = (v for v in seen["Config"]["Env"] if v.startswith("ADMIN_PASSWORD="))
    assert len(password) == len("ADMIN_PASSWORD=") + 32
    assert password.partition("=")[2] not in str(plan.draft.notes)


def test_a_device_with_a_certificate_of_its_own_is_reached_with_its_web_socket(lab: RealLab, device: OwnDevice) -> None:
    before = lab.files()
    values = {"url": device.url, "tls": "ca", "ca": device.certificate, "tls_name": device.name, "title": "My NAS"}
    plan = propose_external(lab.open(files_only=False), "nas", values, REQUESTER)
    assert plan.risk is Risk.MEDIUM, "no setting that all stacks share is touched"
    applied(lab, plan)
    host = f"nas.{lab.domain}"
    stranger = lab.once_certified(host)
    assert (stranger.status, "own device" in stranger.body) == (302, False)
    known = lab.https(host, "/photos", cookie=SESSION)
    assert (known.status, known.body.splitlines()[0]) == (200, "own device /photos")
    assert f"x-forwarded-host: {host}" in known.body
    assert web_socket(lab, host, "knock knock") == "knock knock"
    seen = router(lab, "external-nas@file")
    assert (seen["status"], seen["middlewares"]) == ("enabled", [*MIDDLEWARES, lab.login])
    assert [r["name"] for r in external_rows(lab.open(files_only=True))] == ["nas"]

    # Not checked at all works too, and a change touches only what is asked.
    applied(lab, propose_external(lab.open(files_only=False), "nas", {"tls": "skip"}, REQUESTER))
    wait_until(lambda: lab.https(host, cookie=SESSION).status == 200, "the device to answer", within=20)
    applied(lab, propose_remove_external(lab.open(files_only=False), "nas", REQUESTER))
    wait_until(lambda: lab.https(host, cookie=SESSION).status == 404, "the route to go", within=20)
    assert lab.files() == before
    told = [
        line
        for line in docker("logs", lab.named("traefik")).splitlines()
        if '"level":"warn"' in line or '"level":"error"' in line
    ]
    # Authelia starts anew for its changed rules; until it is healthy Traefik knows no log-in, and the route is shut.
    told = [line for line in told if f'middleware \\"{lab.login}\\" does not exist' not in line]
    assert not [line for line in told if "external" in line or '"providerName":"file"' in line], told


# Nightly: the verifier gives a route a minute to answer.
@pytest.mark.nightly
def test_a_device_that_cannot_be_trusted_is_not_left_half_there(lab: RealLab, device: OwnDevice) -> None:
    before = lab.files()
    values = {"url": device.url, "sso": "bypass", "sso_reason": "Has a log-in of its own."}
    plan = propose_external(lab.open(files_only=False), "vault", values, REQUESTER)
    assert plan.risk is Risk.HIGH
    status = lab.approve_and_apply(plan, files_only=False)
    assert status.state is PlanState.ROLLED_BACK, status
    assert "500" in f"{status.error} {status.evidence}"
    assert lab.files() == before


def web_socket(lab: RealLab, host: str, text: str) -> str:
    """What comes back for one message, by a client that speaks only as much as it takes (RFC 6455)."""
    with (
        socket.create_connection(("127.0.0.1", lab.https_port), timeout=10) as plain,
        lab.trust.wrap_socket(plain, server_hostname=host) as secure,
    ):
        key = "dGhlIHNhbXBsZSBub25jZQ=="
        head = f"GET /ws HTTP/1.1\r\nHost: {host}\r\nCookie: {SESSION}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        secure.sendall(f"{head}Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode())
        reader = secure.makefile("rb")
        status = reader.readline().split()[1]
        assert status == b"101", status
        while reader.readline().strip():
            pass
        mask = b"\x01\x02\x03\x04"
        secure.sendall(
            bytes((0x81, 0x80 | len(text))) + mask + bytes(b ^ mask[n % 4] for n, b in enumerate(text.encode()))
        )
        _, length = reader.read(2)
        return reader.read(length).decode()
