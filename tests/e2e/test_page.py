"""The approval page as people start it: alone, beside MCP, and refused where it would be unsafe."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from testbed import free_port
from tests.e2e.server import PIN, LabOnDisk


@contextmanager
def page(lab: LabOnDisk, *command: str) -> Iterator[str]:
    """The address of the page that a process serves."""
    port = free_port()
    argv = [sys.executable, "-m", "homelab_mcp", *command, f"127.0.0.1:{port}"]
    process = subprocess.Popen(argv, env=lab.env(), stderr=subprocess.PIPE)
    url = f"http://127.0.0.1:{port}/approvals/"
    try:
        for _ in range(150):
            assert process.poll() is None, process.stderr and process.stderr.read()
            try:
                httpx.get(url, timeout=1)
                break
            except httpx.TransportError:
                time.sleep(0.1)
        yield url
    finally:
        process.terminate()
        process.wait(10)
        assert process.stderr is not None
        said = process.stderr.read().decode()
        process.stderr.close()
    assert "Traceback" not in said
    assert PIN not in said


pytestmark = pytest.mark.timeout(120)

ALONE, BESIDE = ("approvals", "--listen"), ("serve", "--http")


@pytest.mark.parametrize("command", [ALONE, BESIDE])
def test_a_person_approves_and_applies_over_http(lab: LabOnDisk, command: tuple[str, str]) -> None:
    plan = lab.json("add", "uptime-kuma", "--plan-only", code=3)
    address = re.compile(r'name="(csrf|digest)" value="([^"]+)"')
    with page(lab, *command) as url, httpx.Client(base_url=url, timeout=30) as browser:
        origin = {"Origin": url.removesuffix("/approvals/")}
        assert browser.get("").headers["location"].startswith("/approvals/login")
        assert browser.get("", headers={"Host": "evil.example"}).status_code == 421
        assert browser.post("login", data={"pin": PIN}, headers={"Origin": "http://evil.example"}).status_code == 403
        assert browser.post("login", data={"pin": "wrong-pin"}, headers=origin).status_code == 401
        assert browser.post("login", data={"pin": PIN}, headers=origin).status_code == 303
        assert plan["summary"] in browser.get("").text
        fields = dict(address.findall(browser.get(f"plans/{plan['plan_id']}").text))
        sent = {**fields, "do": "approve_apply", "reason": "over HTTP"}
        assert browser.post(f"plans/{plan['plan_id']}/answer", data=sent, headers=origin).status_code == 303
        for _ in range(150):
            shown = browser.get(f"plans/{plan['plan_id']}").text
            if "done and verified" in shown:
                break
            time.sleep(0.2)
        else:
            pytest.fail(shown)
        assert plan["summary"] in browser.get("history").text
        again = browser.post(f"plans/{plan['plan_id']}/answer", data=sent, headers=origin)
        assert again.status_code == 409
        assert "applied already" in again.text
    assert "uptime-kuma" in (lab.root / "monitoring" / "compose.yaml").read_text()
    assert lab.json("journal", "verify")["ok"]
    events = [e["event"] for e in lab.json("journal", "show")["entries"]]
    for event in ("page_login_refused", "page_login", "approved", "apply_begin", "apply_done"):
        assert event in events


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--listen", "0.0.0.0:8766"), "--allow-remote"),
        (("--listen", "0.0.0.0:8766", "--allow-remote"), "--url https://"),
        (("--listen", "0.0.0.0:8766", "--allow-remote", "--url", "http://lab.test"), "--url https://"),
        (("--listen", "nowhere"), "HOST:PORT"),
    ],
)
def test_it_refuses_to_be_served_in_the_clear(lab: LabOnDisk, options: tuple[str, ...], says: str) -> None:
    done = lab.run("approvals", *options, timeout=20)
    assert done.returncode == 1
    assert says in done.stderr
