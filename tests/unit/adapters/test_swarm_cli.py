"""Swarm's commands of one stack: what is handed over, what is shown, and how a failure reads. Docker is a script."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from homelab_mcp.adapters.swarm_cli import SwarmCli
from homelab_mcp.core.swarm.render import HASH, hashes, render
from homelab_mcp.model.errors import EngineFailed, EngineUnavailable, InvalidInput

SECRET = 'pa"ss$word-1234'


class Media:
    """One stack as Compose reads it."""

    def resolved(self, stack: str) -> dict[str, Any]:
        command = ["run", "--key", SECRET.replace("$", "$$")]
        return {"services": {"web": {"image": "x:1", "command": command, "environment": {"KEY": "other value"}}}}

    def project(self, stack: str) -> str:
        return "media"

    def secrets(self, stack: str) -> list[str]:
        return [SECRET]


class Docker:
    """A program called docker that notes what it is asked and says what it was told to."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        program = folder / "docker"
        program.write_text(f'#!/bin/sh\necho "$*" >> {folder}/asked\n. {folder}/says\n')
        program.chmod(0o755)
        self.says("")

    def says(self, script: str) -> None:
        (self.folder / "says").write_text(script)

    @property
    def asked(self) -> list[str]:
        return (self.folder / "asked").read_text().splitlines()


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Docker:
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return Docker(tmp_path)


def swarm() -> SwarmCli:
    return SwarmCli(Media(), lambda: dict(os.environ))


def service(form: str, before: str = "", state: str = "") -> str:
    spec = {"Name": "media_web", "Labels": {HASH: form}, "Mode": {"Replicated": {"Replicas": 1}}}
    found = {"ID": "s1", "Spec": spec, "PreviousSpec": {"Labels": {HASH: before}}, "UpdateStatus": {"State": state}}
    return f"case \"$*\" in *'service ls'*) echo s1;; *inspect*) echo '{json.dumps([found])}';; esac"


def test_the_whole_stack_goes_by_stdin_and_images_are_looked_up_when_their_name_changed(docker: Docker) -> None:
    docker.says(f'case "$1" in stack) cat > {docker.folder}/stdin;; esac')
    swarm().up("media", ())
    assert docker.asked[1:] == ["stack deploy --compose-file - --resolve-image changed --with-registry-auth media"]
    assert json.loads((docker.folder / "stdin").read_text())["services"]["web"]["command"][2] == 'pa"ss$$word-1234'


def test_what_compose_runs_still_is_not_run_twice(docker: Docker) -> None:
    docker.says('case "$1" in ps) echo 0123456789ab;; esac')
    with pytest.raises(EngineFailed) as refused:
        swarm().up("media", ())
    assert refused.value.code == "swarm_twice"
    assert not any("deploy" in line for line in docker.asked)


def test_what_is_shown_holds_no_value_and_no_secret_in_any_form(docker: Docker) -> None:
    shown = swarm().shown("media")
    assert "word-1234" not in shown
    assert "other value" not in shown
    assert '"KEY": "***"' in shown


def test_the_way_back_is_swarms_own_where_the_former_form_is_the_wanted_one(docker: Docker) -> None:
    wanted = hashes(render(Media().resolved("media"), str))["web"]
    docker.says(service("new", before=wanted))
    swarm().back("media", ("web",))
    assert "service rollback --detach --quiet s1" in docker.asked


def test_the_way_back_is_a_deploy_where_swarm_remembers_another_form_and_nothing_where_it_went_back(
    docker: Docker,
) -> None:
    wanted = hashes(render(Media().resolved("media"), str))["web"]
    docker.says(service("new", before="older"))
    swarm().back("media", ("web",))
    assert not any("rollback" in line for line in docker.asked)
    assert any(line.startswith("stack deploy") for line in docker.asked)
    (docker.folder / "asked").write_text("")
    docker.says(service(wanted, state="rollback_completed"))
    swarm().back("media", ("web",))
    assert not any("rollback" in line or "deploy" in line for line in docker.asked)


@pytest.mark.parametrize(
    ("said", "kind", "code"),
    [
        ("this node is not a swarm manager. Use docker swarm init", EngineFailed, "swarm_missing"),
        ('network "proxy" is declared as external, but could not be found.', EngineFailed, "swarm_network"),
        ('network "proxy" is declared as external, but it is not in the right scope', EngineFailed, "swarm_network"),
        ("Cannot connect to the Docker daemon at unix:///x.", EngineUnavailable, "engine_unavailable"),
    ],
)
def test_a_failure_says_what_to_do(docker: Docker, said: str, kind: type[Exception], code: str) -> None:
    docker.says(f"echo '{said}' >&2; exit 1")
    with pytest.raises(kind) as failed:
        swarm().up("media", ())
    assert failed.value.code == code  # type: ignore[attr-defined]
    assert failed.value.hint  # type: ignore[attr-defined]


def test_what_docker_says_is_told_without_the_secret(docker: Docker) -> None:
    said = "echo 'Ignoring unsupported options: x' >&2; echo 'bad pa\"ss$$word-1234' >&2; exit 1"
    docker.says(f'case "$1" in stack) {said};; esac')
    with pytest.raises(EngineFailed) as failed:
        swarm().up("media", ())
    assert failed.value.message.startswith("docker stack deploy failed: bad ")
    assert "word-1234" not in failed.value.message + str(failed.value.details)


def test_swarm_pauses_nothing_and_removes_nothing_unnamed(docker: Docker) -> None:
    with pytest.raises(InvalidInput):
        swarm().pause("media", ("web",))
    with pytest.raises(InvalidInput):
        swarm().remove("media", ())
