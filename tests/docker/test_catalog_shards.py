"""Every entry of the catalog added, linted, started behind a real Traefik, routed, and taken out to the byte.

The entries are dealt into shards by their own content. A run takes the shard that the catalog's content as a whole
points to, so that every change of the catalog tries another part of it; ``--nightly`` takes them all. Real here are
Docker, Compose, Traefik and all of homelab-mcp; the services are stand-ins under the real images'
names, which answer on the container's ports. Health checks run as written, but every second instead of every so many.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from homelab_mcp.adapters.catalog_files import packaged_definitions
from homelab_mcp.core import yaml12
from homelab_mcp.core.env_file import set_values
from homelab_mcp.model.definition import ServiceDefinition
from homelab_mcp.model.plan import Plan
from homelab_mcp.queries.check_catalog import made_up
from homelab_mcp.workflow.proposals import propose_rollback
from testbed import Scratch
from testbed.definitions import provide
from testbed.docker_engine import docker, wait_until
from tests.docker.catalog_expected import DEPLOYED
from tests.docker.lab import REQUESTER, SESSION, Answer, RealLab, tunnel_device

pytestmark = pytest.mark.timeout(600)

SHARDS = 12
EVERYTHING = packaged_definitions()
BY_ID = {definition.id: definition for definition in EVERYTHING}
TRIED = [definition for definition in EVERYTHING if definition.id not in DEPLOYED]
"""All but those that test_catalog_deployed.py starts, which says more of them by hand."""


def number(text: str) -> int:
    return int(hashlib.sha256(text.encode()).hexdigest(), 16) % SHARDS


def content(definition: ServiceDefinition) -> str:
    return definition.model_dump_json()


CHOSEN = number("".join(content(definition) for definition in TRIED))


def shard(wanted: int) -> list[ServiceDefinition]:
    """The entries of a shard; one whose host port is taken in its shard goes to the next that has it free."""
    dealt: list[list[ServiceDefinition]] = [[] for _ in range(SHARDS)]
    taken: list[set[tuple[int, str]]] = [set() for _ in range(SHARDS)]
    for definition in TRIED:
        ports = {(p.publish, p.protocol) for p in definition.container.ports if p.publish}
        first = number(definition.id)
        place = next(p % SHARDS for p in range(first, first + SHARDS) if not taken[p % SHARDS] & ports)
        dealt[place].append(definition)
        taken[place] |= ports
    return dealt[wanted]


@pytest.fixture(scope="module")
def lab(docker_engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealLab]:
    with tunnel_device(), Scratch() as scratch:
        provide([BY_ID["traefik"], BY_ID["authelia"]])
        made = RealLab(tmp_path_factory.mktemp("lab"), scratch)
        made.write("authelia", "core")
        made.write("traefik", "core")
        made.start(but="")
        made.once_certified(f"traefik.{made.domain}")
        yield made


def test_every_entry_is_in_one_shard() -> None:
    dealt = [definition.id for place in range(SHARDS) for definition in shard(place)]
    assert sorted(dealt) == sorted(definition.id for definition in TRIED)
    assert {d.id for d in EVERYTHING if d.level == "deployed"} <= {*dealt, *DEPLOYED}
    assert max(len(shard(place)) for place in range(SHARDS)) <= 2 * len(TRIED) / SHARDS


@pytest.mark.parametrize(
    "place", [p if p == CHOSEN else pytest.param(p, marks=pytest.mark.nightly) for p in range(SHARDS)]
)
def test_a_shard_is_added_started_routed_and_taken_out(lab: RealLab, tmp_path: Path, place: int) -> None:
    entries = shard(place)
    provide([*entries, *(BY_ID[name] for name in {d.gateway for d in entries if through_gateway(d)} if name)])
    stack = f"shard{place}"
    write_secrets(lab, stack, entries)
    before = lab.files()
    plans = [added(lab, definition, stack) for definition in entries]
    host_folders = [Path(folder) for folder in missing_host_folders(entries)]
    try:
        assert config(lab, stack) == ("", 0)
        up(lab, stack, tmp_path)
        check_containers(lab, entries)
        check_routes(lab, entries)
    finally:
        down(lab, stack)
        for folder in host_folders:
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()
    for plan in reversed(plans):
        undo = propose_rollback(lab.open(files_only=True), plan.id, REQUESTER)
        status = lab.approve_and_apply(undo, files_only=True)
        assert status.state.value == "done", status
    assert lab.files() == before


def through_gateway(definition: ServiceDefinition) -> bool:
    return definition.gateway is not None and definition.vpn.use == "recommended"


def asked(definition: ServiceDefinition, *, secret: bool) -> dict[str, str]:
    gateway = BY_ID[definition.gateway or ""].variables if through_gateway(definition) else ()
    return made_up(v for v in (*definition.variables, *gateway) if v.secret == secret)


def write_secrets(lab: RealLab, stack: str, entries: list[ServiceDefinition]) -> None:
    """As a person does beforehand: secrets that are asked for do not pass through a request."""
    values = {name: value for definition in entries for name, value in asked(definition, secret=True).items()}
    folder = lab.root / lab.named(stack)
    folder.mkdir()
    (folder / ".env").write_text(set_values("", values))
    (folder / ".env").chmod(0o600)


def added(lab: RealLab, definition: ServiceDefinition, stack: str) -> Plan:
    """Added to the files; the plan is linted on its way, and one that makes errors is refused."""
    variables = asked(definition, secret=False)
    plan = lab.plan(definition.id, stack, files_only=True, **({"variables": variables} if variables else {}))
    status = lab.approve_and_apply(plan, files_only=True)
    assert status.state.value == "done", (definition.id, status)
    return plan


def missing_host_folders(entries: list[ServiceDefinition]) -> list[str]:
    """Host folders that Docker will make because this machine has none; they are removed afterwards."""
    sources = {v.source for d in entries for v in d.container.volumes if v.kind == "host" and v.source}
    return sorted(source for source in sources if not Path(source).exists())


def config(lab: RealLab, stack: str) -> tuple[str, int]:
    process = lab.compose(lab.named(stack), "config", "--quiet")
    _, said = process.communicate(timeout=60)
    return said, process.returncode


def up(lab: RealLab, stack: str, folder: Path) -> None:
    """Started with the health checks asked every second: what they ask is what counts, not how seldom."""
    name = lab.named(stack)
    services = yaml12.load((lab.root / name / "compose.yaml").read_text())["services"]
    quick: dict[str, Any] = {"interval": "1s", "timeout": "10s", "start_period": "60s", "retries": 30}
    hurried = {
        k: {"healthcheck": quick | {"test": s["healthcheck"]["test"]}}
        for k, s in services.items()
        if "healthcheck" in s
    }
    override = folder / "hurry.json"
    override.write_text(json.dumps({"services": hurried}))
    files = ("-f", "compose.yaml", "-f", str(override))
    process = lab.compose(name, *files, "up", "--detach", "--no-build", "--wait", "--wait-timeout", "180")
    _, said = process.communicate(timeout=240)
    assert process.returncode == 0, said[-3000:]


def down(lab: RealLab, stack: str) -> None:
    process = lab.compose(lab.named(stack), "down", "--timeout", "1", "--volumes")
    process.communicate(timeout=180)


def carrier(lab: RealLab, definition: ServiceDefinition) -> str:
    return lab.named(definition.id) + (f"-{definition.gateway}" if through_gateway(definition) else "")


def check_containers(lab: RealLab, entries: list[ServiceDefinition]) -> None:
    for definition in entries:
        for name, container in (
            (lab.named(definition.id), definition.container),
            *((f"{lab.named(definition.id)}-{key}", each) for key, each in definition.companions.items()),
        ):
            state = lab.inspect(name)["State"]
            assert state["Status"] == "running", name
            assert state.get("Health", {}).get("Status") == ("healthy" if container.health else None), name


def check_routes(lab: RealLab, entries: list[ServiceDefinition]) -> None:
    routed = [definition for definition in entries if definition.route]
    wanted = {f"{lab.named(definition.id)}@docker" for definition in routed}
    wait_until(
        lambda: wanted <= {r["name"] for r in lab.traefik("http/routers")} or None, "Traefik to know them", within=60
    )
    with ThreadPoolExecutor(6) as pool:
        problems = [problem for problem in pool.map(lambda d: route_problem(lab, d), routed) if problem]
    assert problems == []
    servers = {s["name"]: s.get("serverStatus") for s in lab.traefik("http/services")}
    for definition in routed:
        assert definition.route is not None
        networks = lab.inspect(carrier(lab, definition))["NetworkSettings"]["Networks"]
        url = f"http://{networks[lab.routes]['IPAddress']}:{definition.route.port}"
        assert servers[f"{lab.named(definition.id)}@docker"] == {url: "UP"}, definition.id


def route_problem(lab: RealLab, definition: ServiceDefinition) -> str:
    """What is wrong with what a stranger and a known person get; "" when nothing."""
    assert definition.route is not None
    host = f"{definition.route.subdomain}.{lab.domain}"
    mine = f"stand-in for {definition.id}"

    def get(path: str = "/", cookie: str = "") -> Answer:
        # The CA gives one certificate after the other, some seconds each; test_catalog_deployed.py waits for them.
        return lab.https(host, path, cookie=cookie, any_certificate=True)

    stranger = get()
    if definition.route.sso.policy == "protect":
        if stranger.status != 302 or not stranger.headers["location"].startswith(f"https://auth.{lab.domain}/"):
            return f"{host}: a stranger gets {stranger.status}, not the log-in"
        for path in definition.route.sso.api_paths:
            if mine not in get(path).body:
                return f"{host}{path}: does not pass without log-in"
        if get("/x-not-an-api").status != 302:
            return f"{host}: another path passes without log-in"
    elif mine not in stranger.body:
        return f"{host}: a stranger does not reach it"
    known = get(cookie=SESSION)
    return (
        "" if (known.status, known.body.splitlines()[0]) == (200, mine) else f"{host}: {known.status} {known.body[:80]}"
    )


def test_nothing_of_a_shard_is_left(lab: RealLab) -> None:
    names = docker("ps", "-a", "--format", "{{.Names}}").split()
    core = {lab.named("traefik"), lab.named("authelia")}
    assert {n for n in names if lab.run in n and BY_ID.keys() & {n.removesuffix(f"-{lab.run}")}} == core
