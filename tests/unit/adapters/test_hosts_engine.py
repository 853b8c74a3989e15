"""Several engines as one: who is asked for what, whose containers are whose, and that a dead one slows nothing."""

from __future__ import annotations

import os
import socket
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from homelab_mcp.adapters.docker_engine import DockerEngine
from homelab_mcp.adapters.files import LabFiles
from homelab_mcp.adapters.hosts import HostSet
from homelab_mcp.adapters.hosts_engine import HostsEngine
from homelab_mcp.core.at_once import at_once
from homelab_mcp.core.stack_host import with_host
from homelab_mcp.model.errors import EngineUnavailable
from homelab_mcp.model.observed import ContainerState

COMPOSE = "services:\n  web:\n    image: nginx\n"


class MadeUpEngine:
    """An engine with these stacks' containers and networks; ``asked`` is what was wanted of it."""

    def __init__(self, name: str, *stacks: str, networks: tuple[str, ...] = ("bridge",)) -> None:
        self.name, self.asked, self.had = name, list[str](), networks
        self.here = tuple(ContainerState(f"{name}-{s}", f"{s}-web", "nginx", "running", stack=s) for s in stacks)

    def containers(self, stack: str | None = None, *, besides: bool = False) -> tuple[ContainerState, ...]:
        self.asked.append(f"containers {stack or '*'}")
        return tuple(c for c in self.here if stack in (None, c.stack))

    def pools(self) -> dict[str, tuple[str, ...]]:
        return dict.fromkeys(self.had, ("10.8.0.0/24",))

    def environments(self) -> dict[str, tuple[tuple[str, str], ...]]:
        return {}

    def __getattr__(self, verb: str) -> Callable[..., Any]:
        def call(*arguments: Any) -> ContainerState:
            self.asked.append(" ".join([verb, *map(str, arguments)]))
            return self.here[0] if self.here else ContainerState("", "", "", "")

        return call


@pytest.fixture
def listening() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield int(server.getsockname()[1])


@pytest.fixture
def hosts(tmp_path: Path, listening: int, monkeypatch: pytest.MonkeyPatch) -> HostSet:
    """``media`` is on ``nas``, ``core`` here; the nas has a ``core`` of somebody else's, too."""
    for stack, host in (("media", "nas"), ("core", "local")):
        (tmp_path / stack).mkdir()
        (tmp_path / stack / "compose.yaml").write_text(with_host(COMPOSE, host))
    (tmp_path / "hosts.yaml").write_text(
        f"hosts:\n  nas: {{address: 'tcp://127.0.0.1:{listening}', certificates: tls, timeout: 1}}\n"
    )
    engines = {"local": MadeUpEngine("local", "core"), "nas": MadeUpEngine("nas", "media", "core")}
    found = HostSet(str(tmp_path), LabFiles(tmp_path), cast("DockerEngine", engines["local"]))
    monkeypatch.setattr(HostSet, "_engine", lambda _self, _host: engines["nas"])
    return found


def asked(hosts: HostSet, name: str) -> list[str]:
    return cast("MadeUpEngine", hosts.engine(name)).asked


def test_a_stack_is_asked_of_its_own_host_and_strangers_keep_their_name(hosts: HostSet) -> None:
    engine = HostsEngine(hosts)
    assert [(c.host, c.stack) for c in engine.containers()] == [("", "core"), ("nas", "media"), ("nas", "nas:core")]
    assert [c.id for c in engine.containers("media")] == ["nas-media"]
    assert asked(hosts, "local") == ["containers *"]
    engine.inspect("nas-media")
    engine.sweep_renamed("media")
    engine.remove_orphans("core", ("x",))
    engine.create_network("nas/front")
    engine.remove_network("back")
    assert asked(hosts, "nas")[2:] == ["inspect nas-media", "sweep_renamed media", "create_network front"]
    assert asked(hosts, "local")[1:] == ["remove_orphans core ('x',)", "remove_network back"]
    assert engine.networks() == {"bridge", "nas/bridge"}
    assert engine.pools()["nas/bridge"] == ("10.8.0.0/24",)
    assert engine.silent() == {}


def test_a_stack_whose_files_went_away_is_where_it_was(hosts: HostSet, tmp_path: Path) -> None:
    engine = HostsEngine(hosts)
    engine.containers()
    (tmp_path / "media" / "compose.yaml").unlink()
    engine.sweep_renamed("media")
    assert asked(hosts, "nas")[-1] == "sweep_renamed media"


def test_a_host_that_is_not_there_is_told_and_slows_nothing(hosts: HostSet, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    (tmp_path / "hosts.yaml").write_text(f"hosts:\n  nas: {{address: 'tcp://127.0.0.1:{port}', certificates: tls}}\n")
    engine = HostsEngine(hosts)
    assert [c.stack for c in engine.containers()] == ["core"]
    assert list(engine.silent()) == ["nas"]
    assert "does not answer" in engine.silent()["nas"]
    with pytest.raises(EngineUnavailable) as caught:
        engine.containers("media")
    assert caught.value.code == "host_silent"
    assert asked(hosts, "nas") == []


def test_what_compose_did_not_make_is_of_no_stack_on_any_host(hosts: HostSet) -> None:
    for name in ("local", "nas"):
        engine = cast("MadeUpEngine", hosts.engine(name))
        engine.here = (*engine.here, ContainerState(f"{name}-own", "own", "x", "running"))
    found = [c for c in HostsEngine(hosts).containers(besides=True) if c.name == "own"]
    assert [(c.stack, c.host) for c in found] == [("", ""), ("", "nas")]


def test_an_engine_that_hangs_is_left_behind_after_its_time(
    hosts: HostSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (tmp_path / "hosts.yaml").read_text()
    (tmp_path / "hosts.yaml").write_text(text.replace("timeout: 1", "timeout: 0.5"))
    monkeypatch.setattr(HostSet, "patience", lambda _self, name: 0.5 if name == "nas" else 0.2)
    nas = cast("MadeUpEngine", hosts.engine("nas"))
    monkeypatch.setattr(nas, "containers", lambda _stack=None, **_: time.sleep(30), raising=False)
    begun = time.monotonic()
    engine = HostsEngine(hosts)
    assert [c.stack for c in engine.containers()] == ["core"]
    assert list(engine.silent()) == ["nas"]
    # Its time, the knock's, and room for a busy machine; nothing near the half minute it hangs.
    assert time.monotonic() - begun < 10


def test_what_the_docker_command_needs_to_reach_each_kind_of_host(hosts: HostSet, tmp_path: Path) -> None:
    (tmp_path / "hosts.yaml").write_text(
        "hosts:\n  a: {address: 'ssh://root@a.lan'}\n  b: {address: 'unix:///run/b.sock'}\n"
        "  c: {address: 'tcp://c.lan:2376', certificates: /etc/c}\n"
    )
    assert hosts.environment("local") == {}
    assert hosts.environment("a") == {"DOCKER_HOST": "ssh://root@a.lan"}
    assert hosts.environment("b") == {"DOCKER_HOST": "unix:///run/b.sock"}
    assert hosts.environment("c") == {
        "DOCKER_HOST": "tcp://c.lan:2376",
        "DOCKER_TLS_VERIFY": "1",
        "DOCKER_CERT_PATH": "/etc/c",
    }


def test_calls_run_at_once_and_each_tells_its_own_end() -> None:
    def fails() -> str:
        raise ValueError("no")

    def hangs() -> str:
        time.sleep(30)
        return "late"

    begun = time.monotonic()
    found = at_once({"a": lambda: "yes", "b": fails, "c": hangs}, 0.3)
    assert time.monotonic() - begun < 10
    assert found["a"] == "yes"
    assert isinstance(found["b"], ValueError)
    assert isinstance(found["c"], TimeoutError)


def test_ssh_says_itself_why_it_does_not_get_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The real transport and a stand-in for the ssh program that ends as ssh does where it is not let in."""
    program = tmp_path / "ssh"
    said = "root@nas.lan: Permission denied (publickey)."
    program.write_text(f"#!/bin/sh\necho \"$@\" > {tmp_path}/words\necho '{said}' >&2\nexit 255\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(EngineUnavailable) as caught:
        DockerEngine("ssh://root@nas.lan:2222", read_seconds=5).info()
    assert caught.value.code == "engine_ssh"
    assert "Permission denied (publickey)" in caught.value.message
    words = (tmp_path / "words").read_text().split()
    assert words[-8:] == ["root", "-p", "2222", "--", "nas.lan", "docker", "system", "dial-stdio"]
    assert "BatchMode=yes" in words


def test_a_container_keeps_all_but_its_place(hosts: HostSet) -> None:
    (mine,) = HostsEngine(hosts).containers("media")
    assert replace(mine, host="") == cast("MadeUpEngine", hosts.engine("nas")).here[0]
