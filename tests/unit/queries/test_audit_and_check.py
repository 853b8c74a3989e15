"""``audit`` and ``check`` over a lab, with a made-up engine and machine where this one cannot have what is told."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from typer.testing import CliRunner

from homelab_mcp.bootstrap import LocalLab, open_lab, tell
from homelab_mcp.cli.app import app
from homelab_mcp.cli.audit import command_of
from homelab_mcp.core import host_routes
from homelab_mcp.core.audit.facts import Remedy
from homelab_mcp.core.resources import Usage
from homelab_mcp.model.errors import HomelabError, InvalidInput, NotFound
from homelab_mcp.model.host import HostFacts, HostHealth, HostQuestion, MountUse
from homelab_mcp.model.observed import ContainerMake, ContainerState, PublishedPort
from homelab_mcp.ports import EngineInfo, ProbeResult
from homelab_mcp.ports.meter import Use
from homelab_mcp.queries.audit import audit
from homelab_mcp.queries.backups import Report
from homelab_mcp.queries.check_lab import check_lab
from homelab_mcp.queries.check_updates import ImageUpdate
from homelab_mcp.server import build

CANARY = "canary-7"
COMPOSE = """services:
  web:
    image: web:1
    restart: unless-stopped
    environment: {DB_PASSWORD: '${DB_PASSWORD}'}
    labels:
      traefik.http.routers.web.rule: Host(`web.lab.test`)
  tools:
    image: tools:1
    restart: unless-stopped
    volumes: ['/var/run/docker.sock:/var/run/docker.sock']
"""


class MadeUpEngine:
    """Two containers, one unhealthy; the images are old."""

    def info(self) -> EngineInfo:
        return EngineInfo("20.10", "1.41", "Linux", "x86_64", 2, 2**30, "overlay2", 2)

    def memory(self) -> int:
        return 2**30

    def silent(self) -> dict[str, str]:
        return {}

    def containers(self, stack: str | None = None, *, besides: bool = False) -> tuple[ContainerState, ...]:
        ports = (PublishedPort("0.0.0.0", 8080, 80),)
        return (
            ContainerState(
                "1", "web", "web:1", "running", "unhealthy", "apps", "web", ports=ports, image_id="sha256:1"
            ),
            ContainerState("2", "tools", "tools:1", "running", "", "apps", "tools"),
        )

    def inspect(self, container_id: str) -> ContainerState:
        return next(c for c in self.containers() if c.id == container_id)

    def made_from(self, container_id: str) -> ContainerMake:
        return ContainerMake("x", env={"PUID": "1000"} if container_id == "2" else {}, user="")

    def image_times(self) -> dict[str, float]:
        return {"sha256:1": 1_600_000_000.0}

    def uses(self, containers: Sequence[str]) -> dict[str, Use]:
        return {"1": Use(Usage(99 * 2**20, 0.1, 3), 100 * 2**20)}

    def pools(self) -> dict[str, tuple[str, ...]]:
        return {}


class MadeUpHost:
    """A machine with ufw on, a full disk, and a Traefik that serves a certificate of ``expires``."""

    expires = 4_000_000_000.0

    def facts(self, question: HostQuestion) -> HostFacts:
        return HostFacts(firewall="ufw")

    def health(self, *, names: Sequence[str] = (), find: str = "") -> HostHealth:
        return HostHealth(mounts=(MountUse("/srv", "ext4", 100 * 2**30, 2**30),))

    def get(self, host: str, path: str = "/", *, timeout: float = 5.0) -> ProbeResult:
        return ProbeResult(f"https://{host}{path}", 200, verified=True, expires=self.expires)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "lab"
    (root / "apps").mkdir(parents=True)
    (root / "homelab.yaml").write_text("domain: lab.test\n")
    (root / "apps/compose.yaml").write_text(COMPOSE)
    (root / "apps/.env").write_text(f"DB_PASSWORD={CANARY}\nTZ=Europe/Paris\n")
    return root


@pytest.fixture
def lab(root: Path, monkeypatch: pytest.MonkeyPatch) -> LocalLab:
    found = LocalLab(str(root))
    host = MadeUpHost()
    found.__dict__ |= {"engine": MadeUpEngine(), "meter": MadeUpEngine()}
    monkeypatch.setattr(LocalLab, "probe", host)
    monkeypatch.setattr(LocalLab, "host", host)
    return found


def test_an_audit_reads_engine_machine_and_files(lab: LocalLab) -> None:
    report = audit(lab, "security")

    ids = {(f.id, f.service) for f in report.findings}
    assert {
        ("open_route", "apps/web"),
        ("port_past_firewall", "apps/web"),
        ("runs_as_root", "apps/web"),
        ("old_image", "apps/web"),
        ("weak_secret", "apps"),
        ("HL091", "apps/tools"),
    } <= ids
    assert ("runs_as_root", "apps/tools") not in ids
    assert "ufw is on" in str(report.findings)
    assert CANARY not in str([f.as_dict() for f in report.findings])
    assert report.batch is not None
    assert report.batch.arguments["rules"] == ["HL091"]
    assert ("unhealthy", "apps/web") in {(f.id, f.service) for f in audit(lab, "monitoring").findings}
    assert ("near_limit", "apps/web") in {(f.id, f.service) for f in audit(lab, "resources").findings}
    with pytest.raises(NotFound):
        audit(lab, "security", "nobody")


async def test_the_tools_batch_is_a_call_that_makes_one_plan(root: Path) -> None:
    async with Client(build(open_lab(str(root), files_only=True))) as client:
        told = await client.call_tool("audit", {"what": "security", "limit": 1})
        body: dict[str, Any] = dict(told.structured_content or {})
        assert body["next_offset"] == 1
        assert "files alone" in body["unseen"][0]
        plan = await client.call_tool(body["batch"]["tool"], body["batch"]["arguments"])
    assert not plan.is_error
    assert "HL091" in str(plan.structured_content)
    assert (root / "apps/compose.yaml").read_text() == COMPOSE


def test_the_command_prints_and_plans(root: Path) -> None:
    start = ["--root", str(root), "--files-only", "audit"]

    shown = CliRunner().invoke(app, [*start, "security"])
    assert "HL091 [apps/tools]" in shown.output
    assert CANARY not in shown.output
    assert f"fix: homelab-mcp validate --fix --rule HL091 {root}/apps" in shown.output
    assert "fix: homelab-mcp access set apps/web --policy one_factor" in shown.output
    assert "fix: homelab-mcp env set apps DB_PASSWORD --generate" in shown.output
    planned = CliRunner().invoke(app, [*start, "security", "--plan-only", "--json"])
    assert planned.exit_code == 3
    assert json.loads(planned.stdout)["state"] == "pending"
    counted = CliRunner().invoke(app, [*start, "resources", "--json"])
    assert counted.exit_code == 0
    assert json.loads(counted.stdout)["counts"]["info"]


def test_each_call_has_its_command() -> None:
    more = Remedy("update_service", {"service": "web", "stack": "apps", "limits": {"memory": "1G"}})
    assert command_of(more, "/lab") == "homelab-mcp update web --stack apps --limit memory=1G"
    measured = Remedy("update_service", {"service": "web", "stack": "apps", "resources": "measured"})
    assert command_of(measured, "/lab") == "homelab-mcp update web --stack apps --resources measured"
    assert command_of(Remedy("add_service", {"service": "beszel"}), "/lab") == "homelab-mcp add beszel"
    newer = Remedy("update_images", {"services": ["apps/web"]})
    assert command_of(newer, "/lab") == "homelab-mcp upgrade apps/web"


def test_a_check_tells_what_is_not_well_and_no_more(lab: LocalLab) -> None:
    found = check_lab(lab, skip=["drift"])

    assert [t.as_line() for t in found.troubles] == [
        "services apps/web: its health check fails.",
        "host: /srv (ext4) has 1.0 GB of 100.0 GB left.",
    ]
    assert found.looked_at == {"services": 2, "routes": 1, "certificates": 1, "host": 1}


CORE = """services:
  traefik:
    image: traefik:v3.7.13
    command: [--providers.file.directory=/dynamic]
    volumes: ["./traefik/dynamic:/dynamic:ro"]
"""
AWAY = """x-homelab: {{host: {host}}}
services:
  {name}:
    image: x:1
    ports: ["{at}:8080:80"]
    labels:
      traefik.enable: "true"
      traefik.http.routers.{name}.rule: Host(`{name}.lab.test`)
      traefik.http.services.{name}.loadbalancer.server.port: "80"
"""


class TwoHosts(MadeUpEngine):
    """``nas`` answers, and ``far`` does where it is not among the silent."""

    def __init__(self, *silent: str) -> None:
        self.gone = silent

    def silent(self) -> dict[str, str]:
        return dict.fromkeys(self.gone, "It does not answer.")


@pytest.fixture
def spread(lab: LocalLab, root: Path, monkeypatch: pytest.MonkeyPatch) -> LocalLab:
    """A lab with routes to two more hosts; nothing is behind those to ``far``."""
    nas, far = "{address: 'ssh://nas', private: 10.0.0.2}", "{address: 'ssh://far', private: 10.0.0.3}"
    (root / "hosts.yaml").write_text(f"hosts:\n  nas: {nas}\n  far: {far}\n")
    (root / "core/traefik/dynamic").mkdir(parents=True)
    (root / "core/compose.yaml").write_text(CORE)
    (root / "core/traefik/dynamic/other-hosts.yaml").write_text(host_routes.HEAD)
    places = {"near": ("nas", "10.0.0.2"), "lost": ("nas", "127.0.0.1"), "one": ("far", "10.0.0.3")}
    for name, (host, at) in (places | {"two": ("far", "10.0.0.3")}).items():
        (root / name).mkdir()
        (root / name / "compose.yaml").write_text(AWAY.format(name=name, host=host, at=at))

    def get(host: str, path: str = "/", *, timeout: float = 5.0) -> ProbeResult:
        status = 502 if host in ("one.lab.test", "two.lab.test") else 200
        return ProbeResult(f"https://{host}/", status, verified=True, expires=4_000_000_000.0)

    monkeypatch.setattr(lab.probe, "get", get)
    return lab


def test_routes_to_other_hosts_are_asked_like_others(spread: LocalLab) -> None:
    spread.__dict__["engine"] = TwoHosts()
    found = check_lab(spread, skip=["services", "drift", "host", "backups", "certificates"])

    assert [t.as_line() for t in found.troubles if t.area == "routes"] == [
        "routes lost.lab.test: nothing leads there: port 80 of the container is not published on 10.0.0.2.",
        "routes one.lab.test: Traefik answers 502: the service does not answer it.",
        "routes two.lab.test: Traefik answers 502: the service does not answer it.",
    ]
    assert found.looked_at["routes"] == 4


@pytest.mark.parametrize("skip", [["services"], []])
def test_the_routes_of_a_silent_host_are_one_trouble(spread: LocalLab, skip: list[str]) -> None:
    spread.__dict__["engine"] = TwoHosts("far")
    found = check_lab(spread, skip=[*skip, "drift", "host", "backups", "certificates"])

    told = "its Docker does not answer, and neither do routes that lead there: one.lab.test, two.lab.test."
    assert f"routes host far: {told}" in [t.as_line() for t in found.troubles]
    assert [t.what for t in found.troubles if t.area == "routes"] == ["host far", "lost.lab.test"]


def test_routes_that_this_machines_traefik_does_not_serve_are_not_asked(spread: LocalLab, root: Path) -> None:
    spread.__dict__["engine"] = TwoHosts()
    (root / "core/traefik/dynamic/other-hosts.yaml").write_text("http: {}\n")
    found = check_lab(spread, skip=["services", "drift", "host", "backups", "certificates"])

    assert found.looked_at["routes"] == 1
    assert "near.lab.test: not asked, as this machine's Traefik does not serve it." in found.unseen


def test_who_sleeps_is_not_woken_by_a_look(spread: LocalLab, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spread.__dict__["engine"] = TwoHosts()
    compose = root / "near/compose.yaml"
    label = "      traefik.http.services.near.loadbalancer.server.port"
    asleep = "      sablier.enable: 'true'\n      sablier.group: near\n      homelab.lazy: dynamic\n"
    compose.write_text(compose.read_text().replace(label, asleep + label))
    asked: list[str] = []
    get = spread.probe.get

    def noted(host: str, path: str = "/", *, timeout: float = 5.0) -> ProbeResult:
        asked.append(host)
        return get(host, path, timeout=timeout)

    monkeypatch.setattr(spread.probe, "get", noted)
    found = check_lab(spread, skip=["services", "drift", "host", "backups", "certificates"])

    assert "one.lab.test" in asked
    assert "near.lab.test" not in asked
    assert "near.lab.test: not asked, as that would wake it." in found.unseen
    assert [t for t in found.troubles if "near" in t.what] == []


def test_what_an_interrupted_apply_left_is_told(lab: LocalLab) -> None:
    for plan, event in (("a" * 32, ""), ("b" * 32, "rollback_failed"), ("c" * 32, "apply_done")):
        lab.journal.append("apply_begin", {"plan": plan, "summary": f"Change {plan[0]}"})
        if event:
            lab.journal.append(event, {"plan": plan})

    def told() -> list[str]:
        found = check_lab(lab, skip=["services", "routes", "certificates", "host"]).troubles
        return [t.message for t in found if "recover" in t.message]

    assert told() == [
        "an apply was interrupted and is open yet (Change a): run `homelab-mcp recover`.",
        "a roll-back failed and is not settled (Change b): run `homelab-mcp recover`.",
    ]
    with lab.lock.hold("apply x"):
        assert len(told()) == 1, "that one may be at work"


def test_a_certificate_that_ends_is_told_within_its_days(lab: LocalLab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MadeUpHost, "expires", lab.clock.now() + 10 * 86_400 + 60)

    late = [t.area for t in check_lab(lab, skip=["services", "drift", "host"]).troubles]
    early = check_lab(lab, cert_days=7, skip=["services", "drift", "host"])
    left_out = check_lab(lab, skip=["services", "drift", "host", "certificates"])

    assert late == ["certificates"]
    assert early.ok
    assert left_out.ok
    assert "certificates" not in left_out.looked_at


def test_what_traefik_could_not_get_is_told_while_the_old_certificate_is_served(
    lab: LocalLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    reasons = [
        {"kind": "caa", "reason": "A CAA record forbids it.", "evidence": "09:00: refused for web.lab.test"},
        {"kind": "no_dns", "reason": "DNS does not know the name.", "evidence": "x"},
    ]
    monkeypatch.setattr("homelab_mcp.queries.check_certs.check_certs", lambda lab, days: {"reasons": reasons})

    found = check_lab(lab, skip=["services", "routes", "backups", "host", "drift"])

    told = ["certificates: A CAA record forbids it. (09:00: refused for web.lab.test)"]
    assert [t.as_line() for t in found.troubles] == told


def test_newer_images_are_asked_for_only_when_wanted(lab: LocalLab, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[float] = []

    def answer(lab: LocalLab, *, seconds: float) -> tuple[ImageUpdate, ...]:
        asked.append(seconds)
        return (
            ImageUpdate("apps", "web", "web:1", "update", newest="2", level="major"),
            ImageUpdate("apps", "old", "old:latest", "moved"),
            ImageUpdate("apps", "tools", "tools:1", "unknown", why="not answered within 20 seconds"),
        )

    monkeypatch.setattr("homelab_mcp.queries.check_updates.check_updates", answer)
    others = ["services", "routes", "certificates", "backups", "host", "drift"]
    assert check_lab(lab, skip=others).ok
    assert asked == []
    found = check_lab(lab, skip=others, also=["updates"])
    assert [t.as_line() for t in found.troubles] == [
        "updates apps/old: the tag of old:latest names a newer image.",
        "updates apps/web: 2 is there (major), it runs web:1.",
    ]
    assert found.unseen == ("apps/tools: not answered within 20 seconds",)
    assert asked == [20.0], "a timer's question has a short end"
    with pytest.raises(InvalidInput):
        check_lab(lab, also=["services"])


def test_a_backup_that_is_late_is_told(lab: LocalLab, monkeypatch: pytest.MonkeyPatch) -> None:
    late = Report("/srv/backup", "0 3 * * *", None, "", (), 0, (), ("apps/web: ./x (left out)",), ("It is late.",))
    monkeypatch.setattr("homelab_mcp.queries.backup_everywhere.report", lambda lab, most: late)

    found = check_lab(lab, skip=["services", "routes", "certificates", "host", "drift"])

    assert [t.as_line() for t in found.troubles] == ["backups: It is late."]


def test_what_lies_on_another_host_is_its_own_business(spread: LocalLab, monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine's own backup knows what is on hosts that make none; asked of it alone, that is not told."""
    gaps = ("apps/web: ./x (left out)", "near/app: ./y (on host nas, which makes no backup)")
    made = Report("/srv/backup", "0 3 * * *", None, "", (), 0, (), gaps, ("It is late.",))
    monkeypatch.setattr("homelab_mcp.queries.audit.backup_hosts", lambda lab: ("local",))
    monkeypatch.setattr("homelab_mcp.queries.audit.report", lambda lab, host: made)
    monkeypatch.setattr("homelab_mcp.queries.backup_everywhere.report", lambda lab, most, host="": made)

    found = {host: str(audit(spread.on(host), "backups").findings) for host in ("local", "nas")}

    assert [gap in found["local"] for gap in (*gaps, "It is late.")] == [True, False, True]
    assert [gap in found["nas"] for gap in (*gaps, "It is late.")] == [False, True, False]


def test_the_command_is_silent_when_all_is_well_and_fails_when_not(root: Path, tmp_path: Path) -> None:
    start = ["--root", str(root), "--files-only", "check"]
    quiet = ["--skip", "drift", "--skip", "host"]

    well = CliRunner().invoke(app, [*start, *quiet])
    assert (well.exit_code, well.output) == (0, "")
    spoken = CliRunner().invoke(app, [*start, *quiet, "--json"])
    assert json.loads(spoken.stdout)["ok"] is True
    wrong = CliRunner().invoke(app, [*start, "--skip", "mail"])
    assert wrong.exit_code != 0

    heard = tmp_path / "heard"
    program = f"{sys.executable} -c \"import sys; open('{heard}', 'w').write(sys.stdin.read())\""
    bad = CliRunner().invoke(app, [*start, "--skip", "host", "--notify-command", program])
    assert bad.exit_code == 1
    assert bad.stdout.splitlines() == heard.read_text().splitlines()
    assert CANARY not in bad.stdout


def test_a_program_that_fails_is_told(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="cannot be run"):
        tell(str(tmp_path / "none"), "x")
    with pytest.raises(InvalidInput, match="cannot be read"):
        tell("'", "x")
    with pytest.raises(HomelabError, match="ended with 1"):
        tell("false", "x")
