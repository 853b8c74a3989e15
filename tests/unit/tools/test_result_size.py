"""No answer of any tool is over its limit, in a lab that is much larger than most; and its pages lose nothing."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from pydantic import BaseModel

from homelab_mcp.bootstrap import LocalLab, open_lab
from homelab_mcp.core.plan_codec import digest
from homelab_mcp.core.redact import Redactor
from homelab_mcp.core.resources import Usage
from homelab_mcp.model.host import HostFacts, HostHealth, HostQuestion, MountUse
from homelab_mcp.model.observed import ContainerState
from homelab_mcp.model.plan import Draft, Evidence, FileEdit, Plan, PlanState, PlanStatus, Requester, Risk
from homelab_mcp.ports.meter import DiskClass, Ending, Use
from homelab_mcp.queries.backup_list import Backup
from homelab_mcp.queries.backups import Report
from homelab_mcp.queries.check_updates import ImageUpdate
from homelab_mcp.server import build
from homelab_mcp.tools.access import SCOPES
from homelab_mcp.tools.bounded import RESULT_LIMIT, ROOM, bounded, fitting, weight
from homelab_mcp.tools.masking import masked_result
from homelab_mcp.workflow.init_lab import init_lab
from tests.unit.core.certs_made import NOW, entry, store
from tests.unit.workflow.fakes import FakeCompose, FakeDocker, FakeProbe

STACKS, SERVICES = 60, 3
WORD = "ein-sehr-langer-name"
SAID = 'level=error msg="Größe \\"überschritten\\"" path=C:\\temp\\x ' + "é" * 400


def service(stack: int, number: int) -> str:
    return f"{WORD}-dienst-{stack:02}-{number}"


def compose(stack: int) -> str:
    """Services that the checks have much to say about, and variables without a value."""
    lines = ["services:"]
    for number in range(SERVICES):
        name = service(stack, number)
        lines += [
            f"  {name}:",
            f"    image: example/{name}",
            "    privileged: true",
            f"    ports: ['{8000 + stack * SERVICES + number}:80']",
            f"    volumes: ['/srv/{WORD}/{name}/größe:/data', '/var/run/docker.sock:/var/run/docker.sock']",
            "    environment:",
            *(
                f"      {WORD.upper().replace('-', '_')}_{n}: '${{FEHLT_{name.upper().replace('-', '_')}_{n}}}'"
                for n in range(4)
            ),
            "    labels:",
            f"      traefik.http.routers.{name}.rule: Host(`{name}.{WORD}.lab.test`)",
            "      homepage.group: Größen",
        ]
    for known in ("sonarr", "radarr"):
        lines += [f"  {known}-{stack:02}:", f"    image: lscr.io/linuxserver/{known}:4.0"]
    return "\n".join(lines) + "\n"


class BigDocker(FakeDocker):
    """Its containers run, restart, and log what JSON has to escape."""

    def state_of(self, one: Any) -> ContainerState:
        found = super().state_of(one)
        labels = {"com.docker.compose.project": one.stack}
        return dataclasses.replace(
            found, status="Up 5 minutes (healthy)", restart_count=9, labels=labels, image_id=one.id
        )

    def logs(
        self, container_id: str, *, tail: int, since: float | None = None, until: float | None = None
    ) -> Iterator[tuple[str, str, str]]:
        for n in range(min(tail, 40)):
            yield (
                f"2026-01-01T00:{n // 60:02}:{n % 60:02}.{int(container_id[1:]):09}Z",
                "stderr",
                f"{n} {container_id} {SAID}",
            )

    def uses(self, containers: Sequence[str]) -> dict[str, Use]:
        return {c: Use(Usage(99 * 2**20, 0.1, 3), 100 * 2**20, 10**9, 10**9, 10**9, 10**9) for c in containers}

    def disk(self) -> tuple[DiskClass, ...]:
        return (DiskClass("images", 3, 10**9, 10**8),)

    def image_times(self) -> dict[str, float]:
        return dict.fromkeys(self.containers_now, 1_600_000_000.0)

    def endings(self, since: float) -> list[Ending]:
        return [Ending(since + 9, one, "oom", 137) for one in self.containers_now]


class BigHost:
    """A machine of many disks that are full."""

    def facts(self, question: HostQuestion) -> HostFacts:
        return HostFacts(firewall="ufw")

    def health(self, *, names: Sequence[str] = (), find: str = "") -> HostHealth:
        return HostHealth(mounts=tuple(MountUse(f"/srv/{WORD}/{n}", "ext4", 100 * 2**30, 2**20) for n in range(80)))


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("big") / "stacks"
    lab = open_lab(str(made), files_only=True)
    init_lab(lab, {"domain": "lab.test"}, "27182818")
    for stack in range(STACKS):
        folder = made / f"{WORD}-{stack:02}"
        folder.mkdir()
        (folder / "compose.yaml").write_text(compose(stack))
        lines = [f"UNBENUTZT_{n}=wert-{n}\n" for n in range(5)] + [f"PASSWORD_{n}=abc12{n}\n" for n in range(3)]
        (folder / ".env").write_text("".join(lines))
    hosts = [f"{service(s, n)}.{WORD}.lab.test" for s in range(STACKS) for n in range(SERVICES)]
    (made / "core").mkdir(exist_ok=True)
    (made / "core/le").mkdir()
    (made / "core/compose.yaml").write_text(
        "services:\n  traefik:\n    image: traefik:v3.7\n    volumes: ['./le:/le']\n    command:\n"
        "      - --certificatesresolvers.le.acme.storage=/le/acme.json\n"
        "      - --certificatesresolvers.le.acme.tlschallenge=true\n"
    )
    (made / "core/le/acme.json").write_text(
        store(*(entry((h,), n + 1, begun=NOW) for n, h in enumerate(hosts)), resolver="le")
    )
    return made


@pytest.fixture(scope="module")
def plan_ids(root: Path) -> list[str]:
    """As many applies on record as there may be on one page, each with much to tell; and one plan that is open."""
    lab = open_lab(str(root), files_only=True)
    before, after = "".join(f'a{n}: "{n}"\n' for n in range(400)), "".join(f'b{n}: "é{n}"\n' for n in range(400))
    edit = FileEdit(f"{WORD}-00/compose.yaml", before, after)
    seen = tuple(Evidence(f"{service(0, 0)} {n}: {'größer ' * 9}", True, SAID) for n in range(6))
    found = []
    for n in range(101):
        draft = Draft("set_env", f"{n} " + "Größe " * 20, (edit,), (), target=WORD, notes=(SAID,) * 3)
        made = lab.clock.now()
        plan = Plan(f"{n:032x}", draft, Risk.LOW, ("Größe",), (), {}, Requester("mcp"), made, made + 900)
        lab.plans.add(dataclasses.replace(plan, digest=digest(plan)))
        if n < 100:
            lab.plans.set_status(plan.id, PlanStatus(PlanState.DONE, evidence=seen, updated=made + n))
        found.append(plan.id)
    return found


@pytest.fixture
def lab(root: Path, monkeypatch: pytest.MonkeyPatch) -> LocalLab:
    found = LocalLab(str(root))
    docker = BigDocker()
    started = FakeCompose(root, docker)
    for stack in range(STACKS):
        started.up(f"{WORD}-{stack:02}", ())
    found.__dict__ |= {"engine": docker, "compose": started, "meter": docker, "_host_set": docker}
    monkeypatch.setattr(LocalLab, "probe", FakeProbe())
    monkeypatch.setattr(LocalLab, "host", BigHost())

    def updates(*_: Any, **__: Any) -> list[ImageUpdate]:
        return [
            ImageUpdate(f"{WORD}-{s:02}", service(s, n), f"example/{service(s, n)}:1", "update", "2", why=SAID)
            for s in range(STACKS)
            for n in range(SERVICES)
        ]

    def report(*_: Any, most: int = 10) -> Report:
        rows = tuple(Backup(f"{n:08x}", f"2026-01-01T00:00:00Z {WORD}") for n in range(500))
        told = tuple(f"{WORD}-{n}: {SAID}" for n in range(60))
        return Report("/mnt", "0 3 * * *", None, "", rows[:most], 500, told, told, told)

    monkeypatch.setattr("homelab_mcp.queries.check_updates.check_updates", updates)
    monkeypatch.setattr("homelab_mcp.queries.security_notes.with_security", lambda _, rows: rows)
    monkeypatch.setattr("homelab_mcp.queries.backup_everywhere.report", report)
    return found


ONE, STACK = service(0, 0), f"{WORD}-00"
PAGED: dict[str, list[tuple[dict[str, Any], tuple[str, ...]]]] = {
    "lab_status": [({"limit": 200}, ("services",)), ({"limit": 200, "drift": True}, ("services",))],
    "validate_compose": [({"limit": 100, "severity": "error"}, ("findings",))],
    "audit": [({"limit": 30, "what": what}, ("findings",)) for what in ("monitoring", "failures")],
    "get_env": [
        ({}, ("stacks",)),
        ({"check": True}, ("problems", "stacks")),
        ({"stack": STACK, "check": True}, ("problems", "variables")),
    ],
    "history": [({"limit": 100}, ("applies",))],
    "search_catalog": [({"limit": 50}, ("matches",))],
    "call_service_api": [
        ({"limit": 100}, ("services",)),
        ({"service": "sonarr-00", "limit": 100}, ("operations",)),
    ],
    "read_logs": [({"tail": 40, "services": [service(0, n) for n in range(SERVICES)]}, ("lines",))],
}
"""Calls with the largest pages, and what their pages are of."""

ONCE: dict[str, list[dict[str, Any]]] = {
    "read_logs": [
        {"tail": 1000, "files": True, "context": 20},
        {"tail": 1000, "services": [f"{WORD}-{s:02}/{service(s, 0)}" for s in range(20)], "files": True},
    ],
    "audit": [{"limit": 30, "what": what} for what in ("security", "resources", "backups")],
    "search_catalog": [{"docs_of": one} for one in ("traefik", "authelia", "nextcloud", "immich")],
    "validate_compose": [{"content": [compose(0)]}, {"limit": 100, "severity": "info"}, {"engine": True, "limit": 100}],
    "diagnose": [{"service": ONE, "what": w} for w in ("service", "route", "auth", "permissions")],
    "service_details": [{"service": ONE}],
    "resource_usage": [{"top": 40, "hours": 240}],
    "host_health": [{"top": 30}, {"find": "a", "top": 30}],
    "check_certs": [{}, {"days": 365}],
    "check_updates": [{}],
    "backups": [{"limit": 200}],
    "check_vpn": [{}],
    "check_storage": [{}],
    "review_changes": [{}],
    "show_platform": [{"part": "sign_on"}, {"part": "homepage"}],
    "external_route": [{}],
    "add_service": [{"service": "jellyfin"}],
    "update_service": [{"service": ONE, "stack": STACK, "tag": "2"}],
    "remove_service": [{"service": ONE}],
    "control_service": [{"action": "restart", "stack": STACK}],
    "set_env": [
        {"stack": STACK, "values": {f"NEU_{n}_{WORD.upper().replace('-', '_')}": "é" * 500 for n in range(20)}}
    ],
    "get_plan": [],
    "apply_plan": [],
    "rollback": [],
    "fix_compose": [{}, {"stack": STACK, "unsafe": True}],
    "resolve_drift": [{"stack": STACK, "how": "adopt"}],
    "pull_lab": [{}],
    "renew_certs": [{"force": True}],
    "update_images": [{"services": [f"{STACK}/{ONE}=2"]}],
    "configure_backup": [{"repository": "/mnt/backup"}],
    "run_backup": [{}],
    "restore_backup": [{"target": STACK}],
    "trial_service": [{"service": "jellyfin"}],
    "setup_monitoring": [{"parts": ["uptime"]}],
    "setup_lab": [{}, {"core": True}],
    "add_custom_service": [{"name": "neu", "image": "example/neu:1", "port": 80}],
    "import_service": [{"text": compose(61), "stack": "neu"}],
    "move_service": [{"service": ONE, "to": "anderswo"}],
    "connect_services": [{"a": ONE, "b": service(1, 0)}],
    "set_lazy_loading": [{"service": ONE, "state": "on"}],
    "change_swarm": [{"action": "run", "target": STACK}],
    "set_vpn": [{"provider": "mullvad"}],
    "set_homepage": [{"title": "Größe"}],
    "fix_permissions": [{"service": ONE}],
    "set_sign_on": [{"inactivity": "1 hour"}],
    "set_access_policy": [{"services": [f"stack:{STACK}"], "policy": "two_factor"}],
    "manage_user": [{"action": "add", "name": "bob"}],
}
"""What is asked of the others, and of the same ones what has no pages."""


async def asked(client: Client, tool: str, arguments: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """The answer, which is within its limit whatever it says; and its text."""
    found = await client.call_tool(tool, arguments)
    text = "".join(getattr(block, "text", "") for block in found.content)
    assert len(text.encode()) <= RESULT_LIMIT, (tool, arguments, len(text.encode()))
    structured = found.structured_content or {}
    assert weight(structured) <= RESULT_LIMIT, (tool, arguments, weight(structured))
    assert not structured or json.loads(text) == structured
    return structured, text


async def test_no_tool_answers_more_than_a_client_takes(lab: LocalLab, plan_ids: list[str]) -> None:
    calls = {tool: list(those) for tool, those in ONCE.items()}
    for tool, pages in PAGED.items():
        calls.setdefault(tool, []).extend(arguments for arguments, _ in pages)
    for tool in ("get_plan", "rollback"):
        calls[tool] = [{"plan_id": one} for one in (plan_ids[0], plan_ids[-1])]
    calls["apply_plan"] = [{"plan_id": plan_ids[0]}]
    async with Client(build(lab)) as client:
        offered = {tool.name for tool in (await client.list_tools()).tools}
        assert set(calls) == offered == set(SCOPES)
        for tool, each in calls.items():
            for arguments in each:
                await asked(client, tool, arguments)


@pytest.mark.parametrize(
    ("tool", "arguments", "kinds"),
    [pytest.param(t, *one, id=f"{t}-{n}") for t, those in PAGED.items() for n, one in enumerate(those)],
)
async def test_pages_give_everything_once(
    lab: LocalLab, plan_ids: list[str], tool: str, arguments: dict[str, Any], kinds: tuple[str, ...]
) -> None:
    rows: list[str] = []
    place: dict[str, Any] = {}
    pages = 0
    async with Client(build(lab)) as client:
        while True:
            found, text = await asked(client, tool, arguments | place)
            assert found, text
            assert "cut" not in found
            rows += [f"{kind} {json.dumps(row, sort_keys=True)}" for kind in kinds for row in found.get(kind, ())]
            pages += 1
            more = {"cursor": found.get("next_cursor"), "offset": found.get("next_offset")}
            place = {name: value for name, value in more.items() if value is not None}
            if not place:
                break
    print(f"{tool}: {pages} pages of {len(rows)} rows")
    assert len(rows) == len(set(rows)) == _whole(found, tool, arguments, rows)


def _whole(last: dict[str, Any], tool: str, arguments: dict[str, Any], rows: list[str]) -> int:
    """How many rows there are, by what the lab was made of where the answer does not say it."""
    if "total" in last:
        return int(last["total"])
    problems = [row for row in rows if row.startswith("problems ")]
    if tool == "get_env" and "stack" in arguments:
        return int(sum(last["counts"].values())) + len(rows) - len(problems)
    if tool == "get_env":
        return int(sum(last.get("counts", {}).values())) + STACKS + len([".", "core"])
    known = {"history": 100, "call_service_api": SONARR_OPERATIONS, "read_logs": 40 * SERVICES}
    return known[tool]


SONARR_OPERATIONS = len(open_lab("/nonexistent", files_only=True).catalog.get("sonarr").api.operations)  # type: ignore[union-attr]


def test_a_page_has_one_row_at_least_and_as_many_as_fit() -> None:
    class Rows(BaseModel):
        rows: list[str]

    rows = ["x" * 20_000, "é" * 100, "y"]
    assert fitting(lambda n: Rows(rows=rows[:n]), 3).rows == rows[:1]
    assert fitting(lambda n: Rows(rows=rows[1:][:n]), 2).rows == rows[1:]
    assert fitting(lambda n: Rows(rows=[][:n]), 0).rows == []
    many = ["z" * 50] * 1000
    kept = fitting(lambda n: Rows(rows=many[:n]), 1000)
    assert ROOM - 60 < weight(kept) <= ROOM


@pytest.mark.parametrize(
    "body",
    [
        {"a": "x" * 40_000, "next": "go on"},
        {"a": 'é"\n' * 9_000, "next": "go on"},
        {"a": [{"b": "x" * 700}] * 90, "next": "go on"},
        {"a": {"b": {str(n): ["x" * 300] for n in range(200)}}, "next": "go on"},
        {"a": [[["x" * 900] * 20]], "next": "go on"},
        {"a": ["x" * 9_000, "y" * 9_000], "b": list(range(3_000)), "next": "go on"},
        {"next": "go on", **{f"a{n}": n for n in range(3_000)}},
    ],
)
def test_what_has_no_pages_is_cut_and_says_so(body: dict[str, Any]) -> None:
    found = bounded(body)
    assert weight(found) <= RESULT_LIMIT < weight(body)
    assert found["next"] == "go on"
    assert found["cut"].startswith("Left out to fit")
    assert bounded({"a": 1}) == {"a": 1}


def test_a_wide_answer_is_cut_in_a_moment() -> None:
    begun = time.process_time()
    for body in (
        {f"k{n}": "é\n" * 1_000 for n in range(2_000)},
        {"rows": [{"a": ["x" * 40] * 10} for _ in range(10_000)]},
        {"rows": {f"k{n}": "x" * 400 for n in range(10_000)}},
        {"text": '"' * 4_000_000},
    ):
        assert weight(bounded(body)) <= RESULT_LIMIT
    assert time.process_time() - begun < 4


def test_the_short_fields_of_a_wide_answer_stay() -> None:
    plan = "f" * 32
    wide = {f"k{n}": "v" * 40 for n in range(400)}
    found = bounded({"plan_id": plan, **wide, "state": "done", "count": 7}, keep={"plan_id"})
    assert weight(found) <= RESULT_LIMIT
    assert (found["plan_id"], found["state"], found["count"]) == (plan, "done", 7)
    assert wide.keys() < found.keys()
    # Where not even the names fit, the long ones go.
    found = bounded({"plan_id": plan, **{f"k{n}": "v" * 400 for n in range(4_000)}, "state": "done"}, keep={"plan_id"})
    assert weight(found) <= RESULT_LIMIT
    assert (found["plan_id"], found["state"]) == (plan, "done")
    assert "fields" in found["cut"]


def test_what_room_there_is_is_used() -> None:
    for rows in (["a", *["x" * 20_000] * 3], [{"n": 1}, *[{"t": "x" * 15_000, "u": "y" * 9_000}] * 4]):
        for body in ({"rows": rows}, {"rows": {str(n): row for n, row in enumerate(rows)}}):
            assert RESULT_LIMIT * 0.9 < weight(bounded(body)) <= RESULT_LIMIT


def test_long_names_do_not_make_the_word_on_the_cut_longer_than_its_room() -> None:
    found = bounded({f"{n}{'é' * 300}": "x" * 4_000 for n in range(9)})
    assert weight(found) <= RESULT_LIMIT
    assert weight(found["cut"]) <= 600
    assert "é" * 61 not in found["cut"]


def test_what_is_cut_is_masked_before_so_that_no_half_of_a_secret_is_left() -> None:
    secret = "geheimnis-" + "s" * 90
    for length in range(RESULT_LIMIT - 900, RESULT_LIMIT, 30):
        told = {"diff": "x" * length + secret + "y" * 2_000}
        text = json.dumps(told, separators=(",", ":"))
        body = {"structuredContent": told, "content": [{"type": "text", "text": text}]}
        found = masked_result(body, Redactor([secret]))
        assert "geheim" not in json.dumps(found)
        assert json.loads(found["content"][0]["text"]) == found["structuredContent"]


def test_what_cannot_be_cut_ends_too() -> None:
    for odd in ({"x" * 2 * RESULT_LIMIT: 1}, {"a": {"x" * 2 * RESULT_LIMIT: 1}}, {"a": [{"x" * 2 * RESULT_LIMIT: 1}]}):
        assert bounded(odd)["cut"]
