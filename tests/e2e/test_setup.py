"""A first set-up as a person does it: by answers in a file, by questions at a terminal, and again later."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

from homelab_mcp.core.settings import parse_settings
from tests.e2e.server import PIN, LabOnDisk

pytestmark = pytest.mark.timeout(120)

TOKEN = "0ceb3c0a-aaaa-bbbb-cccc-ddddeeee0002"
ANSWERS = """\
# what I want
domain: home.me.duckdns.org
email: me@example.org
timezone: Europe/Berlin
media_dir: /srv/media
vpn_provider: mullvad
acme: {staging: true}
"""


@pytest.fixture
def lab(tmp_path: Path) -> LabOnDisk:
    return LabOnDisk(tmp_path / "stacks", {"HOMELAB_FILES_ONLY": "1"})


def test_a_file_of_answers_sets_a_lab_up_and_the_core_comes_by_one_plan(lab: LabOnDisk, tmp_path: Path) -> None:
    answers, env = tmp_path / "answers.yaml", tmp_path / "core.env"
    answers.write_text(ANSWERS)
    env.write_text(f"DUCKDNS_TOKEN={TOKEN}\n")
    made = lab.json(
        "init", "--answers", str(answers), "--email", "you@example.org", "--pin-file", "-", stdin=f"{PIN}\n"
    )
    settings = parse_settings((lab.root / "homelab.yaml").read_text())

    assert "approver key" in made["made"]
    assert {c["name"] for c in made["checks"]} >= {"disk_lab", "memory", "timezone", "owner", "dns", "firewall", "gpu"}
    assert (settings.domain, settings.email) == ("home.me.duckdns.org", "you@example.org"), "an option wins"
    assert settings.acme.staging and settings.vpn_provider == "mullvad"

    refused = lab.run("init", "--core", "--json")
    assert refused.returncode == 1 and "DUCKDNS_TOKEN" in refused.stderr + refused.stdout
    assert "--env-file" in refused.stderr + refused.stdout
    plan = lab.json("init", "--core", "--without", "sablier", "--env-file", str(env), code=3)
    assert plan["summary"] == "Set up the core: duckdns, traefik, authelia, dockge, homepage"
    assert TOKEN not in str(plan)
    assert lab.approve(plan["plan_id"], "--apply")["state"] == "done"
    assert f"DUCKDNS_TOKEN={TOKEN}" in (lab.root / "core" / ".env").read_text()
    public = [n for n, c in lab.files().items() if TOKEN.encode() in c and not n.endswith(".env")]
    assert public == []
    assert lab.run("init", "--core", "--without", "sablier").returncode == 1, "nothing is left to do"
    found = lab.json("validate")["findings"]
    assert not [f for f in found if f["severity"] == "error"], found


def test_later_only_what_is_asked_changes_and_by_a_plan(lab: LabOnDisk) -> None:
    lab.init("--timezone", "Europe/Berlin")
    before = (lab.root / "homelab.yaml").read_text()

    shown = lab.run("init")
    assert shown.returncode == 0 and "Europe/Berlin" in shown.stdout
    assert lab.run("init", "--timezone", "Europe/Berlin").returncode == 0, "it is so already"
    plan = lab.json("init", "--timezone", "Asia/Tokyo", "--staging", code=3)
    assert (lab.root / "homelab.yaml").read_text() == before
    assert lab.approve(plan["plan_id"], "--apply")["state"] == "done"
    after = (lab.root / "homelab.yaml").read_text()
    assert [line for line in after.splitlines() if line not in before.splitlines()] == [
        "timezone: Asia/Tokyo",
        "  staging: true",
    ]
    bad = lab.run("init", "--domain", "no dots")
    assert bad.returncode == 1 and "domain" in bad.stderr and "Traceback" not in bad.stderr


def test_at_a_terminal_each_question_has_a_default_and_secrets_are_not_shown(lab: LabOnDisk) -> None:
    replies = [
        ("Domain", "lab.example.org"),
        ("E-mail", "me@example.org"),
        ("Time zone", ""),
        ("User id", "1234"),
        ("Group id", ""),
        ("films", ""),
        ("downloads", ""),
        ("DNS provider", "nonesuch"),
        ("Not known", "cloudflare"),
        ("VPN provider", "mullvad"),
        ("approval PIN", PIN),
        ("Repeat", PIN),
        ("CF_DNS_API_TOKEN (not shown)", TOKEN),
        ("Approval PIN", ""),
    ]
    code, said = at_terminal(lab, ["init", "--core", "--without", "sablier"], replies)
    settings = parse_settings((lab.root / "homelab.yaml").read_text())

    assert code == 3, said
    assert (settings.domain, settings.puid, settings.acme.dns_provider) == ("lab.example.org", 1234, "cloudflare")
    assert settings.vpn_provider == "mullvad"
    assert PIN not in said and TOKEN not in said


def test_a_secret_left_empty_ends_with_an_error_and_not_with_the_question_again(lab: LabOnDisk) -> None:
    lab.init("--dns-provider", "cloudflare")
    before = lab.files()
    asked = [("CF_DNS_API_TOKEN (not shown)", answer) for answer in ("", "  ", "")]
    code, said = at_terminal(lab, ["init", "--core", "--without", "sablier"], asked)

    assert code == 1, said
    assert said.count("CF_DNS_API_TOKEN (not shown)") == 3
    assert "left empty 3 times" in said and "--env-file" in said
    assert lab.files() == before


def test_who_answers_after_an_empty_line_goes_on(lab: LabOnDisk) -> None:
    lab.init("--dns-provider", "cloudflare")
    asked = [("CF_DNS_API_TOKEN (not shown)", ""), ("CF_DNS_API_TOKEN (not shown)", TOKEN), ("Approval PIN", "")]
    code, said = at_terminal(lab, ["init", "--core", "--without", "sablier"], asked)

    assert code == 3, said
    assert TOKEN not in said


@pytest.mark.parametrize("typed", ["", "\n\n\n\n\n"])
def test_where_stdin_is_no_terminal_nothing_is_asked_though_one_is_there(lab: LabOnDisk, typed: str) -> None:
    lab.init("--dns-provider", "cloudflare")
    keyboard, terminal = pty.openpty()
    command = [sys.executable, "-m", "homelab_mcp", "init", "--core"]
    try:
        # With a terminal of its own that it could open and ask at, and its errors shown there.
        process = subprocess.Popen(
            command,
            env=lab.env(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=terminal,
            start_new_session=True,
            text=True,
        )
        out, _ = process.communicate(typed, timeout=60)
        said = os.read(keyboard, 65536).decode()
    finally:
        os.close(terminal)
        os.close(keyboard)
    assert process.returncode == 1
    assert "(not shown)" not in said + out
    assert "CF_DNS_API_TOKEN" in said and "--env-file" in said


def at_terminal(lab: LabOnDisk, command: list[str], replies: list[tuple[str, str]]) -> tuple[int, str]:
    """Run the command in a terminal of its own and answer its questions in order; its exit code and all it said."""
    keyboard, terminal = pty.openpty()
    environment = {**lab.env(), "TERM": "dumb", "COLUMNS": "300"}
    process = subprocess.Popen(
        [sys.executable, "-m", "homelab_mcp", *command],
        env=environment,
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
    )
    os.close(terminal)
    said, seen, left, end = "", 0, list(replies), time.monotonic() + 60
    while time.monotonic() < end:
        if not select.select([keyboard], [], [], 0.2)[0]:
            if process.poll() is not None:
                break
            continue
        try:
            chunk = os.read(keyboard, 65536).decode(errors="replace")
        except OSError:
            break  # the other side is closed
        said += chunk
        if left and left[0][0] in said[seen:] and said.rstrip(" ").endswith(":"):
            seen = len(said)
            # What is typed before a hidden question turns the echo off would be shown, and thrown away.
            time.sleep(0.3)
            os.write(keyboard, f"{left.pop(0)[1]}\n".encode())
    os.close(keyboard)
    code = process.wait(timeout=30)
    assert not left, f"never asked: {left[0]}\n{said}"
    return code, said
