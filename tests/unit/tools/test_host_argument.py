"""``host`` on the tools of a lab with several Docker hosts; nothing of it in a lab with one machine."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from mcp import Client

from homelab_mcp.bootstrap import LocalLab, open_lab
from homelab_mcp.model.token import Scope
from homelab_mcp.queries.validate_lab import check
from homelab_mcp.server import build
from homelab_mcp.tools.access import SCOPES
from homelab_mcp.tools.host_argument import ARGUMENT, OF_THEIR_OWN, PLANS, READS, TAKES, WITHOUT
from homelab_mcp.workflow.init_lab import init_lab
from tests.unit.tools.test_budget import tokens

PIN = "1234abcd"
DOCS = Path(__file__).parents[3] / "docs" / "hosts.md"
HOSTS = "hosts:\n  nas: {address: 'ssh://root@nas.invalid', private: 192.168.1.20}\n"

MEDIA = """services:
  web:
    image: nginx:1.27
    environment:
      TOKEN: ${TOKEN}
      SHARED: ${SHARED}
    labels:
      traefik.enable: "true"
      traefik.http.routers.web.rule: Host(`web.lab.test`)
      traefik.http.routers.web.middlewares: fence
      homepage.group: Here
      homepage.name: Web
      homelab-mcp.category: tools
  app:
    image: nginx:1.27
    volumes: ['./app:/data']
"""
WATCH = """x-homelab:
  host: nas
services:
  watch:
    image: nginx:1.27
    environment:
      KEY: ${KEY}
      SHARED: ${SHARED}
    labels:
      traefik.enable: "true"
      traefik.http.routers.watch.rule: Host(`watch.lab.test`)
      traefik.http.routers.watch.middlewares: fence
      traefik.http.middlewares.fence.ipallowlist.sourcerange: 10.0.0.0/8
      homepage.group: There
      homepage.name: Watch
      homelab-mcp.category: tools
  app:
    image: nginx:1.27
    volumes: ['/srv/there:/data']
"""

HERE: dict[str, dict[str, Any]] = {
    "lab_status": {"stack": "media"},
    "read_logs": {"services": ["web"]},
    "validate_compose": {"stack": "media/compose.yaml"},
    "resource_usage": {"stack": "media"},
    "review_changes": {"stack": "media"},
    "audit": {"what": "security", "stack": "media"},
    "check_certs": {"hosts": ["web.lab.test"]},
    "get_env": {"stack": "media"},
    "check_updates": {"services": ["media/web"]},
    "check_vpn": {"stack": "media"},
    "check_storage": {"service": "web"},
    "call_service_api": {"service": "web"},
    "fix_compose": {"stack": "media"},
    "update_images": {"services": ["web=1.28"]},
    "set_vpn": {"service": "web", "state": "on"},
    "diagnose": {"service": "web"},
    "service_details": {"service": "app", "stack": "media"},
    "remove_service": {"service": "web"},
    "control_service": {"stack": "media", "action": "stop"},
    "set_lazy_loading": {"service": "web", "state": "on"},
    "update_service": {"service": "web", "tag": "1.28"},
    "fix_permissions": {"service": "web"},
    "move_service": {"service": "watch", "to": "media"},
    "set_env": {"stack": "media", "values": {"NAME": "x"}},
    "resolve_drift": {"stack": ".", "how": "adopt"},
    "restore_backup": {"target": "media/web"},
    "connect_services": {"a": "watch", "b": "media/web"},
    "set_access_policy": {"services": ["watch", "stack:media"], "policy": "one_factor"},
}
"""What each tool can be asked of the lab's own machine; with ``host=nas`` it is on another host."""

NAMELESS = {"search_catalog", "history", "show_platform", "rollback"}
"""Those that name nothing, and one that names a plan, of which there is none yet."""

ASKED: dict[str, dict[str, Any]] = {
    **HERE,
    "search_catalog": {},
    "history": {},
    "show_platform": {"part": "homepage"},
    "rollback": {"plan_id": "0" * 32},
}


def a_lab(root: Path, hosts: str = HOSTS) -> LocalLab:
    init_lab(open_lab(str(root), files_only=True), {"domain": "lab.test"}, PIN)
    for name, text, env in (("media", MEDIA, "TOKEN=a\nSHARED=b\n"), ("nas-watch", WATCH, "KEY=\nSHARED=c\n")):
        (root / name).mkdir()
        (root / name / "compose.yaml").write_text(text)
        (root / name / ".env").write_text(env)
    if hosts:
        (root / "hosts.yaml").write_text(hosts)
    return open_lab(str(root), files_only=True)


@pytest.fixture
def lab(tmp_path: Path) -> LocalLab:
    return a_lab(tmp_path / "stacks")


async def listed(lab: LocalLab) -> dict[str, dict[str, Any]]:
    async with Client(build(lab)) as client:
        tools = (await client.list_tools()).tools
    return {t.name: t.model_dump(mode="json", by_alias=True, exclude_none=True) for t in tools}


async def asked(lab: LocalLab, tool: str, **arguments: Any) -> tuple[bool, str]:
    """Whether it failed, and what was said."""
    async with Client(build(lab)) as client:
        return await ask(client, tool, **arguments)


async def ask(client: Client, tool: str, **arguments: Any) -> tuple[bool, str]:
    """As :func:`asked`, of a server that is there."""
    found = await client.call_tool(tool, arguments)
    return bool(found.is_error), str(getattr(found.content[0], "text", ""))


async def told(lab: LocalLab, tool: str, **arguments: Any) -> dict[str, Any]:
    failed, text = await asked(lab, tool, **arguments)
    assert not failed, text
    return dict(json.loads(text))


def plans(lab: LocalLab) -> int:
    return len(lab.plans.list())


def test_each_tool_takes_host_or_is_told_with_why() -> None:
    assert set(SCOPES) == {*TAKES, *OF_THEIR_OWN, *WITHOUT}
    assert len(SCOPES) == len(TAKES) + len(OF_THEIR_OWN) + len(WITHOUT)
    assert set(ASKED) == set(TAKES)


def test_the_page_on_hosts_names_those_that_do_not_take_it() -> None:
    page = DOCS.read_text()
    part = page.partition("### Which tools take `host`")[2].partition("\n## ")[0]
    rows = [line for line in part.splitlines() if line.startswith("| `")]
    said = {name: row.split("|")[2].strip() for row in rows for name in row.split("|")[1].replace("`", "").split(", ")}
    assert {name.strip(): why for name, why in said.items()} == WITHOUT
    assert f"{len(TAKES)} more tools" in " ".join(part.split())


async def test_a_lab_with_one_machine_pays_for_no_word_of_it(tmp_path: Path) -> None:
    plain = await listed(a_lab(tmp_path / "a", ""))
    assert not [name for name, tool in plain.items() if ARGUMENT in tool["inputSchema"].get("properties", {})]
    assert json.dumps(await listed(a_lab(tmp_path / "b", "hosts: {}\n"))) == json.dumps(plain)
    assert json.dumps(await listed(a_lab(tmp_path / "c", "hosts: [not, these]\n"))) == json.dumps(plain)


LISTS = """
import anyio, sys
from mcp import Client
from homelab_mcp.bootstrap import open_lab
from homelab_mcp.server import build

async def main():
    server = build(open_lab(sys.argv[1]))
    before = set(sys.modules)
    async with Client(server) as client:
        await client.list_tools()
    print(sorted(name for name in set(sys.modules) - before if name.startswith(("homelab_mcp", "docker", "dulwich"))))

anyio.run(main)
"""


def test_a_lab_with_one_machine_loads_nothing_for_it(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", LISTS, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout == "['homelab_mcp.queries.other_hosts']\n"


async def test_with_another_host_the_list_has_the_argument_and_nothing_else(tmp_path: Path) -> None:
    lab = a_lab(tmp_path / "stacks", "")
    server = build(lab)
    async with Client(server) as client:
        before = {t.name: t.input_schema for t in (await client.list_tools()).tools}
        (tmp_path / "stacks" / "hosts.yaml").write_text(HOSTS)
        # Whoever asks anew sees it; the server goes on.
        after = {t.name: t.input_schema for t in (await client.list_tools()).tools}
        (tmp_path / "stacks" / "hosts.yaml").unlink()
        assert {t.name: t.input_schema for t in (await client.list_tools()).tools} == before
    assert list(after) == list(before)
    for name, schema in after.items():
        if name in TAKES:
            more = {ARGUMENT: {"type": "string", "description": READS if SCOPES[name] is Scope.READ else PLANS}}
            assert schema == {**before[name], "properties": {**before[name].get("properties", {}), **more}}, name
        elif name in OF_THEIR_OWN:
            rest = {k: v for k, v in schema["properties"].items() if k != ARGUMENT}
            assert ARGUMENT in schema["properties"], name
            assert {**schema, "properties": rest} == before[name], name
        else:
            assert schema == before[name], name
    cost = [tokens(json.dumps(one)) for one in (before, after)]
    print(f"host on {len({*TAKES, *OF_THEIR_OWN})} tools: {cost[1] - cost[0]} tokens more, of {cost[0]}")
    assert cost[1] - cost[0] < 30 * len({*TAKES, *OF_THEIR_OWN})


async def test_what_a_tool_names_is_looked_for(tmp_path: Path) -> None:
    """A new argument that names a stack or service must be named in the table too."""
    words = {"stack", "stacks", "service", "services", "a", "b", "to", "plan_id", "target", "path"}
    tools = await listed(a_lab(tmp_path / "stacks", ""))
    for name, takes in TAKES.items():
        known = set(tools[name]["inputSchema"].get("properties", {})) & words
        # Of rollback it is a point in time.
        known -= {"to"} if name == "rollback" else {"b"} if name == "diagnose" else set()
        known -= set() if name == "restore_backup" else {"path", "target"}
        assert known == {*takes.stacks, *takes.services, *([takes.plan] if takes.plan else [])}, name


async def test_a_host_that_there_is_not(lab: LocalLab, tmp_path: Path) -> None:
    one = a_lab(tmp_path / "one", "")
    async with Client(build(lab)) as client, Client(build(one)) as alone:
        for tool in TAKES:
            failed, text = await ask(client, tool, **ASKED[tool], host="attic")
            assert failed, tool
            assert "There is no host 'attic'. There are: local, nas." in text, (tool, text)
            assert text.endswith("[host_unknown]")
            failed, text = await ask(alone, tool, **ASKED[tool], host="nas")
            assert failed, tool
            assert "There is no host 'nas'. There are: local. " in text, (tool, text)
        odds: tuple[Any, ...] = (["nas"], [], {}, 5, 0, False)
        for odd in odds:
            assert "not a text" in (await ask(client, "lab_status", host=odd))[1], odd
        assert await ask(client, "lab_status", host=None) == await ask(client, "lab_status")
    assert plans(lab) == plans(one) == 0


async def test_on_one_machine_its_own_name_changes_nothing(tmp_path: Path) -> None:
    readers = [tool for tool in TAKES if SCOPES[tool] is Scope.READ]
    assert len(readers) > 15
    async with Client(build(a_lab(tmp_path / "one", ""))) as client:
        for tool in readers:
            answers = [await ask(client, tool, **ASKED[tool], **more) for more in ({}, {"host": "local"}, {"host": ""})]
            assert answers[0] == answers[1] == answers[2], tool


async def test_what_is_on_another_host_is_refused(lab: LocalLab) -> None:
    async with Client(build(lab)) as client:
        for tool in set(TAKES) - NAMELESS:
            failed, text = await ask(client, tool, **HERE[tool], host="nas")
            assert failed, tool
            assert "on host local, not on nas" in text or "on another host" in text, (tool, text)
            assert text.endswith("[other_host]"), (tool, text)
            assert plans(lab) == 0, tool
        # And is found where it is: whatever is said then, it is not that.
        for tool in set(TAKES) - NAMELESS - {"move_service", "connect_services", "set_access_policy"}:
            _, text = await ask(client, tool, **HERE[tool], host="local")
            assert "[other_host]" not in text, (tool, text)


async def test_a_tool_without_it_says_why(lab: LocalLab) -> None:
    async with Client(build(lab)) as client:
        for tool, why in WITHOUT.items():
            failed, text = await ask(client, tool, host="nas")
            assert failed
            assert text == f"{tool} takes no host, as {why}. Leave it out. [invalid_arguments]"


async def test_readers_tell_what_is_there_alone(lab: LocalLab) -> None:
    for host, mine, other in (("nas", "nas-watch", "media"), ("local", "media", "nas-watch")):
        found = await told(lab, "lab_status", host=host)
        assert {row["stack"] for row in found["services"]} == {mine}
        assert found["total"] == 2
        stacks = {row["stack"] for row in (await told(lab, "get_env", host=host, check=True))["stacks"]}
        assert stacks == ({mine, "."} if host == "local" else {mine})
        found = await told(lab, "show_platform", host=host, part="homepage")
        assert len(found["lines"]) == 1
        assert "watch" in str(found["lines"]).lower() if host == "nas" else "Here / Web" in str(found["lines"])
        found = await told(lab, "show_platform", host=host, part="sign_on")
        assert [line.partition(":")[0] for line in found["lines"]] == [
            "watch.lab.test" if host == "nas" else "web.lab.test"
        ]
        assert other not in json.dumps(await told(lab, "validate_compose", host=host, severity="info", limit=100))
        review = await told(lab, "review_changes", host=host)
        assert f"{mine}/compose.yaml" in str(review["files"])
        assert f"{other}/" not in str(review["files"]) + review["diff"] + str(review["findings"])
        assert ("hosts.yaml" in str(review["files"])) is (host == "local")
    found = await told(lab, "check_storage", host="nas")
    assert found["mounts"] == []
    assert found["problems"] == []
    assert "/srv/there" in str(found["notes"])
    found = await told(lab, "check_storage", host="local")
    assert {row["service"] for row in found["mounts"]} == {"media/app"}
    assert "notes" not in found
    assert (await told(lab, "search_catalog", host="nas", query="jellyfin"))["total"] > 0


async def test_a_stack_that_nobody_can_parse_stays_on_its_host(lab: LocalLab) -> None:
    (Path(lab.root) / "nas-watch/compose.yaml").write_text(f"{WATCH}    ports: [\n")
    for more in ({}, {"stack": "nas-watch"}):
        found = await told(lab, "validate_compose", host="nas", **more)
        assert not found["ok"]
        assert "nas-watch/compose.yaml" in str(found["findings"])
    found = await told(lab, "lab_status", host="nas")
    assert [(row["stack"], row["state"]) for row in found["services"]] == [("nas-watch", "unreadable")]
    assert "nas-watch/compose.yaml" in str((await told(lab, "review_changes", host="nas"))["findings"])
    assert "nas-watch" not in json.dumps(await told(lab, "lab_status", host="local"))
    failed, text = await asked(lab, "resolve_drift", stack="nas-watch", how="adopt", host="local")
    assert failed
    assert "Stack nas-watch is on host nas" in text


async def test_a_host_of_its_own_hides_no_neighbour_from_the_checker(lab: LocalLab) -> None:
    """What media's route names stands on the other host: nobody is told that it is nowhere."""
    whole = check(lab)
    parts = [check(lab.on(host)) for host in ("local", "nas")]
    assert sorted(map(str, whole.findings)) == sorted(str(f) for part in parts for f in part.findings)
    assert all(part.findings for part in parts)
    assert sorted(whole.files) == sorted(file for part in parts for file in part.files)
    for what in ("security", "resources", "backups", "monitoring"):
        every = (await told(lab, "audit", what=what, limit=30))["findings"]
        halves = [(await told(lab, "audit", what=what, limit=30, host=host)) for host in ("local", "nas")]
        of_both = [f for half in halves for f in half["findings"] if f.get("service")]
        assert sorted(map(str, of_both)) == sorted(str(f) for f in every if f.get("service")), what
        batch = halves[1].get("batch")
        assert batch is None or batch["arguments"]["host"] == "nas"


async def test_a_name_in_two_stacks_means_the_one_on_that_host(lab: LocalLab) -> None:
    failed, text = await asked(lab, "service_details", service="app")
    assert failed
    assert "ambiguous_service" in text
    assert (await told(lab, "service_details", service="app", host="nas"))["service"] == "nas-watch/app"
    for host, stack in (("nas", "nas-watch"), ("local", "media")):
        plan = await told(lab, "update_service", service="app", tag="1.28", host=host)
        assert f"{stack}/compose.yaml" in plan["diff"]
        plan = await told(lab, "update_images", services=["app=1.29"], host=host)
        assert f"{stack}/compose.yaml" in plan["diff"]
    failed, text = await asked(lab, "connect_services", a="app", b="watch", host="nas")
    assert "ambiguous" not in text


async def test_a_plan_for_all_of_a_host_is_for_all_of_that_host(lab: LocalLab) -> None:
    plan = await told(lab, "fix_compose", host="nas", unsafe=True)
    assert "on host nas" in plan["summary"]
    assert "nas-watch/compose.yaml" in plan["diff"]
    assert "media/compose.yaml" not in plan["diff"]


async def test_a_whole_lab_is_asked_with_all(lab: LocalLab) -> None:
    assert await told(lab, "lab_status", host="all") == await told(lab, "lab_status")
    failed, text = await asked(lab, "control_service", action="stop", host="nas")
    assert failed
    assert "Nothing was named" in text
