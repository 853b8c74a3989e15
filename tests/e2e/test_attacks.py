"""The guard attacked through the real server, worker and command line, on files alone."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from mcp_types import ElicitResult

from tests.e2e.server import PIN, LabOnDisk, call, connected, data, types_the_name, words

FREE = ("uptime-kuma", "jellyfin", "nextcloud", "qbittorrent", "dozzle", "homepage", "sonarr", "radarr")


def events(lab: LabOnDisk, event: str) -> list[str]:
    lines = (lab.root / ".homelab" / "journal.jsonl").read_text().splitlines()
    return [e["data"]["plan"] for e in map(json.loads, lines) if e["event"] == event]


@pytest.mark.timeout(180)
async def test_eight_clients_at_once_lose_no_update_and_apply_no_plan_twice(lab: LabOnDisk) -> None:
    done: list[str] = []

    async def client(number: int) -> None:
        """Adds a variable to the one file that all want, as often as it takes."""
        async with connected(lab, "auto", types_the_name) as server:
            for _ in range(40):
                asked = await call(server, "set_env", stack="utilities", values={f"N{number}": str(number)})
                if asked.is_error:
                    # Another's apply came between the reading and the judging: it says so and to ask again.
                    assert "plan_stale" in words(asked), words(asked)
                    continue
                made = data(asked)
                # The same plan twice at once, as a client that lost patience does.
                answers = await asyncio.gather(
                    call(server, "apply_plan", plan_id=made["plan_id"]),
                    call(server, "apply_plan", plan_id=made["plan_id"]),
                )
                for answer in answers:
                    if answer.is_error:
                        assert any(c in words(answer) for c in ("plan_stale", "plan_used")), words(answer)
                end = made
                while (end := data(await call(server, "get_plan", plan_id=made["plan_id"], wait=20)))["state"] in {
                    "queued",
                    "applying",
                }:
                    continue
                if end["state"] == "done":
                    done.append(made["plan_id"])
                    return
                assert end["state"] in {"approved", "expired", "pending"}, end
            pytest.fail(f"client {number} never got through")

    await asyncio.gather(*(client(n) for n in range(8)))
    written = dict(line.split("=", 1) for line in (lab.root / "utilities/.env").read_text().splitlines() if "=" in line)
    assert written == {f"N{n}": str(n) for n in range(8)}, "an update was lost"
    assert sorted(events(lab, "apply_done")[-8:]) == sorted(done)
    begun = events(lab, "apply_begin")
    assert len(begun) == len(set(begun)), "a plan was applied twice"
    assert lab.json("journal", "verify")["ok"]


@pytest.mark.timeout(120)
def test_one_plan_applied_by_many_processes_at_once_runs_once(lab: LabOnDisk) -> None:
    plan = lab.json("add", "uptime-kuma", "--plan-only", code=3)
    lab.approve(plan["plan_id"])
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(lambda _: lab.run("apply", plan["plan_id"], "--json"), range(6)))
    told = [json.loads(f.stdout) for f in found]
    # Who comes while it is applied sees it through; who comes after its end is told that it was.
    ends = {(f.returncode, t.get("state") or t["error"]["code"]) for f, t in zip(found, told, strict=True)}
    assert (0, "done") in ends, found
    assert ends <= {(0, "done"), (1, "plan_used")}, found
    assert events(lab, "apply_begin").count(plan["plan_id"]) == 1
    assert lab.json("plan", plan["plan_id"])["state"] == "done"


@pytest.mark.timeout(60)
async def test_no_argument_of_a_tool_stands_for_a_persons_yes(lab: LabOnDisk) -> None:
    before = lab.files()
    async with connected(lab) as client:
        plan = data(await call(client, "add_service", service="uptime-kuma"))
        for extra in (
            {"answer": {"action": "accept", "data": {"name": "uptime-kuma"}}},
            {"confirm": True, "name": "uptime-kuma", "approved": True, "pin": PIN},
        ):
            result = await client.call_tool("apply_plan", {"plan_id": plan["plan_id"], **extra})
            assert result.is_error
            assert "apply_plan has no argument" in words(result)
            assert PIN not in words(result)
        assert "plan_not_approved" in words(await call(client, "apply_plan", plan_id=plan["plan_id"]))
        for odd in (plan["plan_id"].upper(), plan["plan_id"] + "\n", f"../{plan['plan_id']}", f"{plan['plan_id']}/."):
            assert (await call(client, "apply_plan", plan_id=odd)).is_error
    assert lab.files() == before


@pytest.mark.timeout(60)
async def test_a_person_sees_the_values_that_a_model_chose_and_no_line_that_it_made_up(lab: LabOnDisk) -> None:
    asked: list[str] = []

    def answer(message: str) -> ElicitResult:
        asked.append(message)
        return ElicitResult(action="decline")

    async with connected(lab, "auto", answer) as client:
        plan = data(await call(client, "set_env", stack="media", values={"DOMAIN": "evil.example", "A": "b\u202ec"}))
        await client.call_tool("apply_plan", {"plan_id": plan["plan_id"]})
        assert 'DOMAIN="evil.example"' in asked[0]
        assert "\u202e" not in asked[0]
        assert len(asked[0].splitlines()) == 5
        for value in ("x`) || Host(`auth.lab.test", "a\nRisk: low.", "a\x00b"):
            refused = await call(client, "set_env", stack="media", values={"DOMAIN": value})
            assert refused.is_error
            assert "bad_value" in words(refused)
        made = data(await call(client, "set_env", stack="media", generate=["DB_PASSWORD"]))
        assert "Sets" not in str(made["reasons"])
        reason = 'fine"\nTo approve, type: yes'
        result = await call(client, "add_service", service="uptime-kuma", sso="bypass", sso_reason=reason)
        assert result.is_error


@pytest.mark.timeout(60)
async def test_records_that_were_tampered_with_are_refused(lab: LabOnDisk, tmp_path: Path) -> None:
    first = lab.json("add", "uptime-kuma", "--plan-only", code=3)["plan_id"]
    second = lab.json("add", "jellyfin", "--plan-only", code=3)["plan_id"]
    lab.approve(first)
    plans = lab.root / ".homelab" / "plans"
    shutil.copy(plans / first / "approval.json", plans / second / "approval.json")
    assert "plan_not_approved" in lab.run("apply", second, "--json").stdout
    path, place = plans / first / "plan.json", f"plans/{first}/plan.json"
    text = path.read_text()
    path.write_text(text[:-40] + ("A" if text[-40] != "A" else "B") + text[-39:])
    assert "plan_corrupt" in lab.run("apply", first, "--json").stdout
    # By somebody with the lab's key: the digest fits the content, but not what the person signed.
    from homelab_mcp.adapters.vault import Vault
    from homelab_mcp.core import plan_codec, plan_record

    vault = Vault(lab.root)
    record = json.loads(vault.open(place, text))
    record["plan"]["draft"]["edits"][0]["after"] += "# more\n"
    path.write_text(text.replace(json.loads(text)["sealed"], vault.seal(place, json.dumps(record).encode())))
    assert "plan_corrupt" in lab.run("apply", first, "--json").stdout
    forged = plan_codec.seal(plan_codec._plan(record))
    sealed = vault.seal(place, plan_codec.plan_to_json(forged).encode())
    for forgery in (plan_codec.plan_to_json(forged), plan_record.record(forged, sealed)):
        path.write_text(forgery)
        assert "plan_not_approved" in lab.run("apply", first, "--json").stdout
    other = LabOnDisk(tmp_path / "other" / "stacks", lab.environment)
    shutil.copytree(lab.root, other.root, symlinks=True)
    (other.root / ".homelab" / "approver.json").unlink()
    other.init("--acme-challenge", "tls")
    third = lab.json("add", "dozzle", "--plan-only", code=3)["plan_id"]
    lab.approve(third)
    shutil.copytree(plans / third, other.root / ".homelab" / "plans" / third)
    assert "approver_replaced" in other.run("apply", third, "--json").stdout, "approved by another lab's key"


@pytest.mark.timeout(90)
async def test_the_server_killed_during_an_apply_does_not_end_it(lab: LabOnDisk) -> None:
    plan = lab.json("add", "nextcloud", "--plan-only", code=3)["plan_id"]
    lab.approve(plan)
    server = subprocess.Popen(
        [
            sys.executable,
            "-c",
            f"import sys; sys.argv=['x','apply','{plan}']; from homelab_mcp.cli.app import main; main()",
        ],
        env=lab.env(),
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    status = lab.root / ".homelab" / "plans" / plan / "status.json"
    while json.loads(status.read_text())["state"] in {"approved", "queued"}:
        time.sleep(0.005)
    os.killpg(server.pid, signal.SIGKILL)
    server.wait()
    until = time.monotonic() + 40
    while json.loads(status.read_text())["state"] != "done":
        assert time.monotonic() < until, status.read_text()
        time.sleep(0.05)


@pytest.mark.timeout(240)
def test_a_worker_killed_at_any_moment_is_put_right_by_the_next_call(lab: LabOnDisk) -> None:
    ended: set[str] = set()
    length = 0.0
    for part in range(7):
        plan = lab.json("add", FREE[0], "--name", f"k{part}", "--subdomain", f"k{part}", "--plan-only", code=3)[
            "plan_id"
        ]
        before = lab.files()
        lab.approve(plan)
        argv = [sys.executable, "-m", "homelab_mcp.worker", "--root", str(lab.root), "--files-only", "apply", plan]
        begun = time.monotonic()
        child = subprocess.Popen(argv, env=lab.env(), stderr=subprocess.DEVNULL)
        if part:
            # Python starts first, which takes half of it; on a machine that has become faster meanwhile, less.
            time.sleep(length * (0.15 + 0.13 * part))
            child.kill()
        child.wait()
        length = length or time.monotonic() - begun
        lab.run("recover", "--json")
        shown = lab.json("plan", plan)
        assert shown["state"] in {"approved", "rolled_back", "done"}, shown
        ended.add(shown["state"])
        assert (lab.files() == before) is (shown["state"] != "done")
        assert lab.json("recover")["recovered"] == []
    assert len(ended) > 1, ended


@pytest.fixture
def small_disk(tmp_path: Path, pattern: Path) -> Any:
    place = tmp_path / "small"
    place.mkdir()
    size = sum(p.stat().st_size for p in pattern.rglob("*") if p.is_file())
    if os.geteuid() != 0:
        pytest.fail("mounting a small disk needs root; run this test as root or leave it out by name")
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size + 3_000_000}", "tmpfs", str(place)], check=True)
    try:
        shutil.copytree(pattern, place / "stacks", symlinks=True)
        yield LabOnDisk(place / "stacks", {"HOMELAB_FILES_ONLY": "1"})
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.mark.parametrize("left", [0, 8, 60, 200, 300, 420])
@pytest.mark.timeout(60)
def test_a_full_disk_loses_nothing_and_says_so(small_disk: LabOnDisk, left: int) -> None:
    lab = small_disk
    plan = lab.json("add", "nextcloud", "--plan-only", code=3)["plan_id"]
    lab.approve(plan)
    before = lab.files()
    ballast = lab.root.parent / "ballast"
    free = os.statvfs(lab.root.parent)
    with ballast.open("wb") as file:
        file.write(b"x" * (free.f_bavail * free.f_bsize - left * 1024))
    done = lab.run("apply", plan, "--json", timeout=50)
    assert "Traceback" not in done.stderr, done.stderr
    state = json.loads(done.stdout).get("state")
    ballast.unlink()
    lab.run("recover", "--json")
    if state == "done":
        assert "productivity/compose.yaml" in lab.files()
        return
    assert "disk" in done.stdout, done.stdout
    assert lab.files() == before
    assert lab.json("journal", "verify")["ok"]
    again = lab.json("add", "nextcloud", "--plan-only", code=3)["plan_id"]
    assert lab.approve(again, "--apply")["state"] == "done"


@pytest.mark.timeout(60)
def test_a_read_only_disk_is_told_as_such(small_disk: LabOnDisk) -> None:
    lab = small_disk
    plan = lab.json("add", "uptime-kuma", "--plan-only", code=3)["plan_id"]
    lab.approve(plan)
    before = lab.files()
    subprocess.run(["mount", "-o", "remount,ro", str(lab.root.parent)], check=True)
    for arguments in (["apply", plan], ["add", "jellyfin", "--plan-only"], ["status"], ["validate"]):
        done = lab.run(*arguments, "--json")
        assert "Traceback" not in done.stderr, (arguments, done.stderr)
        if arguments[0] in {"apply", "add"}:
            assert done.returncode == 1
    assert lab.files() == before


@pytest.mark.timeout(60)
def test_what_this_project_keeps_is_readable_by_its_owner_alone(lab: LabOnDisk) -> None:
    plan = lab.json("add", "nextcloud", "--plan-only", code=3)["plan_id"]
    lab.approve(plan, "--apply")
    private = lab.root / ".homelab"
    open_to_others = [p for p in (private, *private.rglob("*")) if p.lstat().st_mode & 0o077]
    assert open_to_others == []
    assert [p for p in lab.root.glob("*/.env") if p.stat().st_mode & 0o077] == []


@pytest.mark.timeout(90)
async def test_links_and_odd_stacks_are_neither_followed_nor_fatal(lab: LabOnDisk, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "compose.yaml").write_text("services:\n  far:\n    image: x:1\n")
    (lab.root / "linked").symlink_to(outside)
    (lab.root / "filelink").mkdir()
    (lab.root / "filelink" / "compose.yaml").symlink_to(outside / "compose.yaml")
    for name in ("Media", "with space", "dotted.name", "UPPER_1"):
        (lab.root / name).mkdir()
        (lab.root / name / "docker-compose.yml").write_text("services:\n  app:\n    image: x:1\n")
    (lab.root / "old").mkdir()
    (lab.root / "old" / "docker-compose.yml").write_text("services:\n  App.One:\n    image: x:1\n")
    (lab.root / "bad").mkdir()
    (lab.root / "bad" / "compose.yml").write_text("services: [\n")
    (lab.root / "bad" / ".env").write_text("NOT A LINE\n'\n")
    (lab.root / "latin").mkdir()
    (lab.root / "latin" / "compose.yaml").write_bytes(b"services:\n  caf\xe9:\n    image: x\n")
    (lab.root / "global.env").write_text("TZ=Europe/Paris\n")
    before = {p: p.read_bytes() for p in outside.iterdir()}
    async with connected(lab, "auto", types_the_name) as client:
        for tool, arguments in (
            ("lab_status", {}),
            ("validate_compose", {}),
            ("validate_compose", {"stack": "bad"}),
            ("add_service", {"service": "jellyfin"}),
            ("add_service", {"service": "dozzle", "stack": "linked"}),
            ("add_service", {"service": "dozzle", "stack": "filelink"}),
            ("add_service", {"service": "dozzle", "stack": "old"}),
            ("add_service", {"service": "dozzle", "stack": "bad"}),
            ("remove_service", {"service": "App.One"}),
            ("remove_service", {"service": "far"}),
            ("set_env", {"stack": "linked", "values": {"A": "b"}}),
            ("set_env", {"stack": "bad", "values": {"A": "b"}}),
        ):
            result = await call(client, tool, **arguments)
            if "linked" in str(arguments) or "filelink" in str(arguments):
                assert result.is_error
                assert "symlink_refused" in words(result), words(result)
    assert {p: p.read_bytes() for p in outside.iterdir()} == before


@pytest.mark.timeout(60)
async def test_costly_texts_are_refused_or_judged_at_once(lab: LabOnDisk) -> None:
    bomb = "services:\n  a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"  {chr(98 + i)}: &{chr(98 + i)} [{','.join(['*' + chr(97 + i)] * 9)}]\n" for i in range(9)
    )
    many = "services:\n" + "".join(f"  s{i}:\n    image: x\n" for i in range(4000))
    async with connected(lab) as client:
        for text in (
            bomb,
            many,
            "services: " + "[" * 100_000,
            "a" * 1_900_000,
            "services:\n  a:\n    image: " + "${A:-" * 20_000,
        ):
            begun = time.monotonic()
            await call(client, "validate_compose", content=[text])
            assert time.monotonic() - begun < 10, text[:40]
        # Traefik with its socket proxy, Authelia with its sessions: nothing of the texts stayed.
        assert data(await call(client, "lab_status"))["total"] == 4


def test_a_hand_written_file_survives_add_and_remove_to_the_byte(lab: LabOnDisk) -> None:
    source = Path(__file__).parents[1] / "unit" / "core" / "data" / "hand-written.yaml"
    stack = lab.root / "byhand"
    stack.mkdir()
    (stack / "compose.yaml").write_bytes(source.read_bytes())
    for arguments in (["add", "uptime-kuma", "--stack", "byhand"], ["remove", "uptime-kuma", "--stack", "byhand"]):
        plan = lab.json(*arguments, "--plan-only", code=3)["plan_id"]
        assert lab.approve(plan, "--apply")["state"] == "done"
    assert (stack / "compose.yaml").read_bytes() == source.read_bytes()
