"""The read-only questions on a lab that runs."""

import json
import os
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest

from homelab_mcp import ports
from homelab_mcp.adapters.compose_cli import ComposeCli
from homelab_mcp.adapters.docker_engine import DockerEngine
from homelab_mcp.adapters.files import LabFiles
from homelab_mcp.model.errors import EngineUnavailable, InvalidInput, NotFound
from homelab_mcp.model.lab import LabSettings
from homelab_mcp.queries.doctor import doctor
from homelab_mcp.queries.find import find_service
from homelab_mcp.queries.lab_status import lab_status
from homelab_mcp.queries.read_logs import read_logs
from testbed import LocalImage, Scratch, free_port
from testbed.docker_engine import wait_until

IMAGE = "homelab-tests/queries:1"
SECRET = "canary-pa55-word"
COMPOSE = f"""\
services:
  web:
    image: {IMAGE}
    entrypoint: [/bin/sh, -c, 'i=0; while [ $$i -lt 300 ]; do i=$$((i+1)); echo "line $$i"; done; exec sleep 1000']
    stop_signal: KILL
    labels: {{traefik.http.routers.web.rule: "Host(`web.${{DOMAIN}}`)"}}
  leaky:
    image: {IMAGE}
    entrypoint: [/bin/sh, -c, 'echo "db is $$DB_PASS"; printf "\\033[31mred\\033[0m\\n";
      for i in 1 2 3; do echo same; done; sleep 0.3; echo oops >&2; exec sleep 1000']
    stop_signal: KILL
    environment: {{DB_PASS: "${{DB_PASS}}"}}
  looping:
    image: {IMAGE}
    entrypoint: [/bin/false]
    restart: always
  absent:
    image: {IMAGE}
"""


class Lab:
    def __init__(self, root: Path, stack: str) -> None:
        self.stack, self.files, self.engine = stack, LabFiles(root), DockerEngine()
        self.dead = DockerEngine(f"unix://{root}/none.sock")


@pytest.fixture(scope="module")
def lab(testbed_run: Scratch, stand_in: Callable[..., LocalImage], tmp_path_factory: pytest.TempPathFactory) -> Lab:
    stand_in(IMAGE)
    root = tmp_path_factory.mktemp("lab")
    stack = testbed_run.claim_project(testbed_run.name("query"))
    (root / stack).mkdir()
    (root / stack / "compose.yaml").write_text(COMPOSE)
    (root / stack / ".env").write_text(f"DOMAIN=lab.test\nDB_PASS={SECRET}\n")
    ComposeCli(root).up(stack, ["web", "leaky", "looping"])
    lab = Lab(root, stack)
    wait_until(lambda: "oops" in str(read_logs(lab.files, lab.engine, ["leaky"], tail=1).lines), "the other log")
    wait_until(lambda: "line 300" in str(read_logs(lab.files, lab.engine, ["web"], tail=1).lines), "the log")
    return lab


def test_status_lays_files_and_containers_side_by_side(lab: Lab) -> None:
    def looping_seen() -> bool:
        rows = {r.service: r for r in lab_status(lab.files, lab.engine, stack=lab.stack).rows}
        return (rows["looping"].restarts or 0) >= 2

    wait_until(looping_seen, "two restarts in the status")
    status = lab_status(lab.files, lab.engine, stack=lab.stack)
    rows = {row.service: row for row in status.rows}
    assert (rows["web"].state, rows["web"].url) == ("running", "https://web.lab.test")
    assert rows["web"].up
    assert rows["looping"].state in {"restarting", "running"}
    assert rows["absent"].state == "missing"
    assert status.total == 4
    assert SECRET not in status.text() + str(status.as_dict())


def test_without_docker_status_answers_from_the_files(lab: Lab) -> None:
    status = lab_status(lab.files, lab.dead)
    assert [row.service for row in status.rows] == ["web", "leaky", "looping", "absent"]
    assert "systemctl start docker" in status.engine_error
    assert status.rows[0].url == "https://web.lab.test"


def test_status_comes_in_pages(lab: Lab) -> None:
    first = lab_status(lab.files, lab.engine, stack=lab.stack, limit=3)
    second = lab_status(lab.files, lab.engine, stack=lab.stack, limit=3, cursor=first.next_cursor or "")
    assert [len(first.rows), len(second.rows), second.next_cursor] == [3, 1, None]
    with pytest.raises(InvalidInput):
        lab_status(lab.files, lab.engine, cursor="x")
    with pytest.raises(NotFound, match="no stack"):
        lab_status(lab.files, lab.engine, stack="nothing")


def test_logs_are_masked_cleaned_and_counted(lab: Lab) -> None:
    page = read_logs(lab.files, lab.engine, ["leaky"])
    texts = [line.split(" ", 1)[1] for line in page.lines]
    assert texts == ["leaky db is [redacted]", "leaky red", "leaky same (x3)", "leaky ! oops"]
    assert page.as_dict()["untrusted"] is True
    assert SECRET not in page.text()


def test_a_pattern_cannot_ask_what_a_secret_is(lab: Lab) -> None:
    assert read_logs(lab.files, lab.engine, ["leaky"], grep="db is").lines
    assert read_logs(lab.files, lab.engine, ["leaky"], grep="db is canary").lines == ()
    assert read_logs(lab.files, lab.engine, ["leaky"], grep="^db is [^w]*$").lines


def test_tail_grep_and_whole_stacks(lab: Lab) -> None:
    page = read_logs(lab.files, lab.engine, [f"{lab.stack}/web"], tail=3)
    assert [line.rsplit(" ", 1)[1] for line in page.lines] == ["298", "299", "300"]
    assert page.truncated
    page = read_logs(lab.files, lab.engine, ["web"], grep=r"^line \d*77$")
    assert [line.rsplit(" ", 1)[1] for line in page.lines] == ["77", "177", "277"]
    everything = read_logs(lab.files, lab.engine, stack=lab.stack, tail=5)
    assert set(everything.services) == {"web", "leaky", "looping"}
    stamps = [line.split(" ", 1)[0] for line in everything.lines]
    assert stamps == sorted(stamps)
    assert read_logs(lab.files, lab.engine, ["web"], since="2100-01-01").lines == ()
    assert read_logs(lab.files, lab.engine, ["web"], until="2000-01-01").lines == ()


def test_cursors_lead_through_the_whole_log_once(lab: Lab) -> None:
    seen: list[str] = []
    cursor = ""
    for _ in range(60):
        page = read_logs(lab.files, lab.engine, ["web"], tail=40, cursor=cursor, max_bytes=1000)
        seen = [line.rsplit(" ", 1)[1] for line in page.lines] + seen
        if not page.next_cursor:
            break
        cursor = page.next_cursor
    assert seen == [str(i) for i in range(1, 301)]


def test_errors_name_what_is_near(lab: Lab) -> None:
    with pytest.raises(NotFound) as error:
        read_logs(lab.files, lab.engine, ["loping"])
    assert "looping" in error.value.hint
    with pytest.raises(NotFound, match="has no container"):
        read_logs(lab.files, lab.engine, ["absent"])
    with pytest.raises(EngineUnavailable):
        read_logs(lab.files, lab.dead, ["web"])
    assert find_service(lab.files, "WEB") == (lab.stack, "web")


class Everything:
    """A lab's parts as ``bootstrap`` would join them, with an engine that can be away."""

    def __init__(self, root: Path, engine: DockerEngine) -> None:
        from homelab_mcp.adapters.approver import KeyFileApprover
        from homelab_mcp.adapters.clock import SystemClock
        from homelab_mcp.adapters.host_facts import LinuxHost
        from homelab_mcp.adapters.journal import JsonlJournal
        from homelab_mcp.adapters.plan_store import FilePlanStore
        from homelab_mcp.adapters.token_store import FileTokenStore
        from homelab_mcp.adapters.vault import Vault

        self.root, self.files_only, self.engine = str(root), False, engine
        self.files, self.compose = LabFiles(root), ComposeCli(root)
        self.settings = LabSettings(domain="lab.test", http_port=free_port(), https_port=free_port())
        self.journal, self.plans = JsonlJournal(str(root)), FilePlanStore(str(root))
        self.approver = KeyFileApprover(str(root / "approver.json"))
        self.vault = Vault(root)
        self.tokens, self.clock = FileTokenStore(str(root)), SystemClock()
        self.host = LinuxHost()


def test_the_doctor_sees_what_is_wrong_and_goes_on(tmp_path: Path) -> None:
    (tmp_path / ".homelab").mkdir(mode=0o700)
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "compose.yaml").write_text("services: {}\n")
    (tmp_path / "shop" / ".env").write_text("A=1\n")
    (tmp_path / "shop" / ".env").chmod(0o644)
    (tmp_path / "shop" / "..env.0123456789ab.homelab-tmp").write_text("")
    with socket.socket() as taken:
        parts = Everything(tmp_path, DockerEngine())
        taken.bind(("127.0.0.1", parts.settings.http_port))
        taken.listen()
        found = {c.name: c for c in doctor(cast("ports.Lab", parts))}
    bad = {name for name, check in found.items() if not check.ok}
    assert bad == {"git", "env_modes", f"port_{parts.settings.http_port}", "temporary_files", "approver"}
    assert all(found[name].hint for name in bad)
    assert found["compose"].sentence.startswith("Compose 2.")

    away = {c.name: c for c in doctor(cast("ports.Lab", Everything(tmp_path, DockerEngine("unix:///no/such.sock"))))}
    assert not away["docker"].ok
    assert "systemctl start docker" in away["docker"].hint
    assert away["journal"].ok


def test_a_long_log_is_read_in_bounded_time_and_memory(
    tmp_path: Path, testbed_run: Scratch, stand_in: Callable[..., LocalImage]
) -> None:
    stand_in(IMAGE)
    stack = testbed_run.claim_project(testbed_run.name("long"))
    (tmp_path / stack).mkdir()
    text = f"services:\n  big:\n    image: {IMAGE}\n    entrypoint: [/bin/sh, -c, 'seq 1 200000; echo end']\n"
    (tmp_path / stack / "compose.yaml").write_text(text)
    ComposeCli(tmp_path).up(stack, [])
    engine, files = DockerEngine(), LabFiles(tmp_path)
    wait_until(lambda: engine.containers(stack)[0].state == "exited", "its end", within=25)
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
    page = read_logs(files, engine, ["big"], tail=1000, max_bytes=4096)
    assert page.lines[-1].endswith("big end")
    assert sum(len(line) + 1 for line in page.lines) <= 4096
    found = read_logs(files, engine, ["big"], grep="^19999[0-9]$")
    assert len(found.lines) == 10
    assert time.monotonic() - start < 8
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 60_000


MEASURED = """
import json, re, sys, time
from pathlib import Path
from homelab_mcp.adapters.docker_engine import DockerEngine
from homelab_mcp.adapters.files import LabFiles
from homelab_mcp.queries.read_logs import read_logs

def high_water():
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024

files, engine = LabFiles(sys.argv[1]), DockerEngine()
engine.containers()
read_logs(files, engine, ["small"], grep="x")
idle, rows, cursor = high_water(), [], ""
questions = [{"grep": word} for word in ("^rare [0-9]+$", "request", "never there")]
for asked in ({"tail": 1000}, *questions, {"cursor": True}):
    if asked.pop("cursor", False):
        asked = {"grep": "never there", "cursor": cursor}
    begun = time.monotonic()
    page = read_logs(files, engine, ["big"], **asked)
    cursor = page.next_cursor or cursor
    rows.append([asked, round(time.monotonic() - begun, 2), len(page.lines), page.lines[-1:], page.truncated])
print(json.dumps({"idle": idle, "over": high_water() - idle, "rows": rows}))
"""


@pytest.mark.nightly
@pytest.mark.timeout(600)
def test_a_log_of_one_gigabyte_is_read_within_two_seconds_and_100_mb(
    tmp_path: Path, testbed_run: Scratch, stand_in: Callable[..., LocalImage]
) -> None:
    stand_in(IMAGE)
    stack = testbed_run.claim_project(testbed_run.name("huge"))
    (tmp_path / stack).mkdir()
    line = "INFO request GET /api/v1/items?page=7 user=bob took 97 ms " + "alpha beta gamma delta " * 40
    size = int(os.environ.get("LOG_BYTES") or 1_000_000_000)
    text = (
        f"services:\n  big:\n    image: {IMAGE}\n    environment: ['LINE={line}']\n"
        f'    entrypoint: [/bin/sh, -c, \'yes "$$LINE" | head -c {size}; echo; '
        "for n in 1 2 3; do echo rare $$n; done; echo end']\n"
        f"  small:\n    image: {IMAGE}\n    entrypoint: [/bin/sh, -c, 'echo x']\n"
    )
    (tmp_path / stack / "compose.yaml").write_text(text)
    ComposeCli(tmp_path).up(stack, [])
    engine = DockerEngine()
    wait_until(lambda: {c.state for c in engine.containers(stack)} == {"exited"}, "its end", within=500, every=1)
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, str(tmp_path)], capture_output=True, text=True, check=True, timeout=120
    )
    told = json.loads(done.stdout)
    print(
        f"over idle {told['over']:.0f} MB;", *(f"{asked}: {seconds} s, {n}" for asked, seconds, n, *_ in told["rows"])
    )
    plain, rare, many, never, further = told["rows"]
    assert plain[3][0].endswith("big end")
    assert [rare[2], many[4], never[2], never[4], further[4]] == [3, True, 0, True, True]
    assert told["over"] < 100
    assert max(row[1] for row in told["rows"]) < 2
