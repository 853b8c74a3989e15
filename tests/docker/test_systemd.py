"""``deploy/systemd/`` under a real systemd, by the words of docs/installing.md."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from testbed.docker_engine import wait_until
from tests.doc_pages import ROOT
from tests.doc_play import played, shell_of
from tests.docker.systemd_rig import SystemdMachine
from tests.e2e.server import LabOnDisk

pytestmark = pytest.mark.timeout(300)

UNITS = "/etc/systemd/system"


def test_the_page_s_commands_start_the_server_and_the_watch(tmp_path: Path) -> None:
    lab = LabOnDisk(tmp_path / "stacks", {"HOMELAB_FILES_ONLY": "1"})
    lab.init()
    (tmp_path / "programs").mkdir()
    with SystemdMachine(tmp_path / "machine") as machine:
        # Whoever may do anything: there, in the folder where it is typed.
        sudo = tmp_path / "programs" / "sudo"
        there = " ".join(machine.entered)
        sudo.write_text(f'#!/bin/sh\nexec {there} sh -c \'cd "$1" && shift && exec "$@"\' sh "$PWD" "$@"\n')
        sudo.chmod(0o755)
        shell = shell_of(ROOT, PATH=f"{tmp_path / 'programs'}:/usr/sbin:/usr/bin:/sbin:/bin")
        with played("docs/installing.md", __file__) as play:
            copy, reload, enable = play.lines
            play.type(shell, copy)
            # As the page says: the user and the paths are changed in them.
            mine = {"User=homelab": "User=root", "/opt/homelab-mcp/bin/": f"{Path(sys.executable).parent}/"}
            mine["=/opt/stacks"] = f"={lab.root}\nEnvironment=HOMELAB_FILES_ONLY=1"
            # The lab lies below /tmp here, which the units have for themselves.
            mine["PrivateTmp=yes"] = ""
            for name in ("homelab-mcp.service", "homelab-check.service"):
                text = (ROOT / "deploy" / "systemd" / name).read_text("utf-8")
                for word, now in mine.items():
                    assert word in text
                    text = text.replace(word, now)
                words = [*machine.entered, "tee", f"{UNITS}/{name}"]
                subprocess.run(words, input=text, text=True, check=True, capture_output=True)
            play.type(shell, reload, enable)
        ask = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:8765/healthz').status)"
        wait_until(lambda: machine.run(sys.executable, "-c", ask).strip() == "200", "the server", within=90, every=1)
        assert (
            machine.run("systemctl", "is-active", "homelab-mcp.service", "homelab-check.timer").split()
            == ["active"] * 2
        )
        # The watch as its timer starts it: nothing of this lab is wrong, or it says what.
        machine.run("systemctl", "start", "homelab-check.service")
        ended = machine.run("systemctl", "show", "--property=ExecMainStatus", "homelab-check.service").strip()
        assert ended in ("ExecMainStatus=0", "ExecMainStatus=1"), machine.run(
            "journalctl", "-u", "homelab-check", "-n", "20"
        )
        # A restart of the server leaves an apply alone: it stops its own process and no other.
        kills = machine.run("systemctl", "show", "--property=KillMode", "homelab-mcp.service").strip()
        assert kills == "KillMode=process"
    assert not list(Path(UNITS).glob("homelab-*")), "nothing of it is on this machine"
