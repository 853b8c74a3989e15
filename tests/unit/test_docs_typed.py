"""Listings of pages that need more than a lab of files, and no Docker: a server, a shell's files, somebody's repository.

The page's own words are typed by bash, in a home folder that the test made; see tests/doc_play.py.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from homelab_mcp.core.catalog_draft import new_text
from testbed import free_port
from testbed.docker_engine import wait_until
from tests.doc_pages import ROOT
from tests.doc_play import Shell, played

PIN = "27182818"

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """Of somebody with an empty home folder, who has the command, may do all by ``sudo``, and has an approver's PIN."""
    programs = tmp_path / "programs"
    programs.mkdir()
    # Where it does something, it is here, so nobody needs to be root.
    (programs / "sudo").write_text('#!/bin/sh\nexec "$@"\n')
    (programs / "sudo").chmod(0o755)
    (tmp_path / "home").mkdir()
    made = {
        "PATH": f"{programs}:{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(tmp_path / "home"),
        "USER": str(os.getuid()),
        "LANG": "C.UTF-8",
        "XDG_CONFIG_HOME": os.environ["XDG_CONFIG_HOME"],
        "HOMELAB_ROOT": str(tmp_path / "stacks"),
        "HOMELAB_FILES_ONLY": "1",
    }
    # By the command itself: in this process PINs are stretched by less.
    told = Shell(tmp_path, made).type("homelab-mcp init --domain example.org --pin-file -", given=f"{PIN}\n")
    assert told.code == 0, told
    return made


def test_completion_and_manual_page_are_set_up(tmp_path: Path, env: dict[str, str]) -> None:
    with played("docs/installing.md", __file__, "--install-completion", "mkdir", "man-page") as play:
        play.type(Shell(tmp_path, env))
    home = tmp_path / "home"
    assert "homelab" in (home / ".bashrc").read_text("utf-8")
    assert (home / ".local/share/man/man1/homelab-mcp.1").read_text("utf-8").startswith(".TH")


def test_the_command_is_linked_and_the_lab_s_folder_is_made(tmp_path: Path, env: dict[str, str]) -> None:
    (tmp_path / "bin").mkdir()
    here = {"/usr/local/bin/homelab-mcp": str(tmp_path / "bin" / "homelab-mcp"), "/opt/stacks": str(tmp_path / "new")}
    with played("docs/getting-started.md", __file__, "sudo") as play:
        play.type(Shell(ROOT, env, here))
    assert (tmp_path / "new").is_dir()
    told = Shell(tmp_path, {**env, "PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin"}).type("homelab-mcp --version")
    assert (told.code, told.said.startswith("homelab-mcp")) == (0, True), told


def test_the_approval_page_is_served_for_a_proxy_until_it_is_stopped(tmp_path: Path, env: dict[str, str]) -> None:
    address = f"127.0.0.1:{free_port()}"
    with played("docs/approvals.md", __file__) as play:
        (line,) = play.lines
        with Shell(tmp_path, env, {"172.18.0.1:8766": address}).started(line) as page:
            named = {"Host": "approvals.example.org"}
            wait_until(lambda: status(f"http://{address}/approvals/", **named) == 200, "the page", within=60)
            shown = httpx.get(f"http://{address}/approvals/", headers=named, follow_redirects=True)
            assert "PIN" in shown.text
            assert status(f"http://{address}/approvals/", Host="elsewhere.example.org") == 421
            assert page.poll() is None
        play.ran(line)


def status(url: str, **headers: str) -> int:
    """How it answers, after redirects; 0 for not at all."""
    try:
        return httpx.get(url, headers=headers, follow_redirects=True, timeout=5).status_code
    except httpx.TransportError:
        return 0


def test_a_catalog_of_others_is_added_taken_further_and_removed(tmp_path: Path, env: dict[str, str]) -> None:
    friends = tmp_path / "friends"
    first = committed(friends, "notes-of-friends")
    second = committed(friends, "more-of-friends")
    here = {
        "https://example.org/friends/catalog.git": str(friends),
        "0123456789abcdef0123456789abcdef01234567": first,
        " ID ": f" {second} ",
    }
    shell = Shell(tmp_path, env, here)
    yes = [("Approval PIN", PIN)]
    with played("docs/catalog.md", __file__) as play:
        add, sources, again, remove = play.lines
        play.type(shell, add, replies=yes)
        (told,) = play.type(shell, sources)
        assert first[:12] in told.said
        assert here_are(tmp_path) == {"notes-of-friends.yaml"}
        play.type(shell, again, replies=yes)
        assert here_are(tmp_path) == {"notes-of-friends.yaml", "more-of-friends.yaml"}
        play.type(shell, remove, replies=yes)
        assert here_are(tmp_path) == set()


def here_are(folder: Path) -> set[str]:
    return {path.name for path in (folder / "stacks" / "catalog" / "friends").glob("*.yaml")}


def committed(repository: Path, service: str) -> str:
    """Somebody's repository with one definition more; the commit's id."""
    git = ["git", "-C", str(repository), "-c", "user.name=friend", "-c", "user.email=friend@example.org"]
    if not repository.is_dir():
        subprocess.run(["git", "init", "-q", str(repository)], check=True)
        (repository / "catalog").mkdir()
    (repository / "catalog" / f"{service}.yaml").write_text(new_text(service, "example/notes:1.0", 8080, ["/data"]))
    subprocess.run([*git, "add", "."], check=True)
    subprocess.run([*git, "commit", "-q", "-m", "A service"], check=True)
    return subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()
