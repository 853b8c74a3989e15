"""ComposeCli against the real Compose and engine."""

import os
import random
import secrets
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from homelab_mcp.adapters.compose_cli import ComposeCli
from homelab_mcp.adapters.docker_engine import DockerEngine
from homelab_mcp.model.errors import EngineFailed, EngineUnavailable, InvalidInput, NotFound
from testbed import LocalImage, Scratch
from testbed.docker_engine import docker, wait_until
from tests.docker.crash_rig import kill_all

IMAGE = "homelab-tests/compose:1"

TWO = """\
services:
  web:
    image: homelab-tests/compose:1
    environment: {SHOWN: "${SHOWN:-unset}", SHARED: "${SHARED:-unset}"}
    volumes: ["data:/data"]
  other:
    image: homelab-tests/compose:1
volumes:
  data:
"""


class Stack:
    """A stack of its own in a lab of its own."""

    def __init__(self, root: Path, name: str) -> None:
        self.root, self.name, self.folder = root, name, root / name
        self.folder.mkdir()
        self.compose = ComposeCli(root)
        self.engine = DockerEngine()

    def files(self) -> dict[Path, str]:
        """Every file of the lab but our own."""
        found = (p for p in self.root.rglob("*") if p.is_file() and ".homelab" not in p.parts)
        return {p: p.read_text() for p in found}

    def write(self, text: str, env: str = "", file: str = "compose.yaml") -> None:
        (self.folder / file).write_text(text)
        (self.folder / ".env").write_text(env)

    def states(self) -> dict[str, str]:
        return {c.service: c.state for c in self.engine.containers(self.name)}


@pytest.fixture
def stack(tmp_path: Path, testbed_run: Scratch, stand_in: Callable[..., LocalImage]) -> Stack:
    stand_in(IMAGE)
    return Stack(tmp_path, testbed_run.claim_project(testbed_run.name("cli")))


def environment_of(stack: Stack, service: str) -> list[str]:
    identity = next(c.id for c in stack.engine.containers(stack.name) if c.service == service)
    return docker("inspect", "--format", "{{json .Config.Env}}", identity).strip('[]"').split('","')


def test_up_restart_remove_and_down(stack: Stack) -> None:
    stack.write(TWO, "SHOWN=yes\n")
    (stack.root / "global.env").write_text("SHARED=all\nSHOWN=no\n")
    stack.compose.config(stack.name)
    stack.compose.pull(stack.name, ["web"])
    stack.compose.up(stack.name, ["web"])
    assert stack.states() == {"web": "running"}
    assert {"SHOWN=yes", "SHARED=all"} <= set(environment_of(stack, "web"))
    stack.compose.up(stack.name, [])
    assert stack.states() == {"web": "running", "other": "running"}
    before = {c.service: stack.engine.inspect(c.id).started_at for c in stack.engine.containers(stack.name)}
    stack.compose.restart(stack.name, ["web"])
    after = {c.service: stack.engine.inspect(c.id).started_at for c in stack.engine.containers(stack.name)}
    assert after["web"] != before["web"]
    assert after["other"] == before["other"]
    stack.compose.remove(stack.name, ["web"])
    assert stack.states() == {"other": "running"}
    stack.compose.down(stack.name)
    assert stack.states() == {}
    assert docker("volume", "ls", "-q", "--filter", f"name={stack.name}_data") == f"{stack.name}_data"


def test_a_container_no_longer_declared_is_left_running(stack: Stack) -> None:
    stack.write(TWO)
    stack.compose.up(stack.name, [])
    stack.write(TWO.replace("  other:\n    image: homelab-tests/compose:1\n", ""))
    stack.compose.up(stack.name, [])
    assert stack.states() == {"web": "running", "other": "running"}


def test_pulling_an_image_that_is_there_asks_no_registry(stack: Stack) -> None:
    stack.write(TWO)
    start = time.monotonic()
    stack.compose.pull(stack.name, ["web", "other"])
    assert time.monotonic() - start < 3


def test_what_compose_says_reaches_the_error(stack: Stack) -> None:
    stack.write("services:\n  web:\n    image: x\n    depends_on: [nobody]\n")
    with pytest.raises(EngineFailed) as error:
        stack.compose.config(stack.name)
    assert error.value.code == "compose_config"
    assert "nobody" in error.value.message
    assert "nobody" in error.value.details["output"]
    stack.write(TWO)
    with pytest.raises(EngineFailed, match="no such service"):
        stack.compose.up(stack.name, ["absent"])


def test_a_container_that_cannot_start_is_an_error_with_its_cause(stack: Stack) -> None:
    stack.write("services:\n  web:\n    image: homelab-tests/compose:1\n    entrypoint: [/no/such/program]\n")
    with pytest.raises(EngineFailed) as error:
        stack.compose.up(stack.name, [])
    assert "/no/such/program" in error.value.details["output"]


def test_secrets_are_masked_in_what_compose_says(stack: Stack) -> None:
    stack.write(
        'services:\n  web:\n    image: "x ${DB_PASSWORD}"\n    entrypoint: [/x]\n', "DB_PASSWORD=canary-5ecret-9\n"
    )
    with pytest.raises(EngineFailed) as error:
        stack.compose.up(stack.name, [])
    assert "canary-5ecret-9" not in str(error.value.as_dict())


def test_our_own_environment_does_not_reach_compose(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMPOSE_FILE", "/nowhere.yaml")
    monkeypatch.setenv("COMPOSE_PROJECT_NAME", "else")
    monkeypatch.setenv("COMPOSE_PROFILES", "x")
    stack.write(TWO, file="docker-compose.yml")
    stack.compose.up(stack.name, ["other"])
    assert stack.states() == {"other": "running"}


def test_the_files_own_project_name_wins(stack: Stack, testbed_run: Scratch) -> None:
    own = testbed_run.claim_project(testbed_run.name("own"))
    stack.write(f"name: {own}\n{TWO}")
    stack.compose.up(stack.name, ["other"])
    assert [c.service for c in stack.engine.containers(own)] == ["other"]
    stack.compose.down(stack.name)
    assert stack.engine.containers(own) == ()


def test_a_folders_capitals_are_dropped_as_compose_does(
    tmp_path: Path, testbed_run: Scratch, stand_in: Callable[..., LocalImage]
) -> None:
    stand_in(IMAGE)
    name = testbed_run.claim_project(testbed_run.name("caps"))
    stack = Stack(tmp_path, name.upper())
    stack.write(TWO)
    stack.compose.up(stack.name, ["other"])
    assert [c.service for c in stack.engine.containers(name)] == ["other"]


@pytest.mark.parametrize("word", ["-x", "--all", "a;b", "$(id)", "a b", "../up", "", "a\nb"])
def test_words_that_are_no_names_reach_no_program(stack: Stack, word: str) -> None:
    stack.write(TWO)
    with pytest.raises(InvalidInput):
        stack.compose.up(stack.name, [word])
    with pytest.raises(InvalidInput):
        stack.compose.config(word)


def test_removing_nothing_in_particular_is_refused(stack: Stack) -> None:
    stack.write(TWO)
    with pytest.raises(InvalidInput):
        stack.compose.remove(stack.name, [])


def test_a_missing_stack_or_file_is_said_so(stack: Stack) -> None:
    with pytest.raises(NotFound):
        stack.compose.config("nothing")
    with pytest.raises(NotFound):
        stack.compose.config(stack.name)


def test_texts_are_judged_without_touching_the_lab(stack: Stack) -> None:
    stack.write("services: {}\n", "OLD=1\n")
    (stack.folder / "extra.env").write_text("A=1\n")
    before = stack.files()
    good = "services:\n  web:\n    image: 'x:${TAG:?}'\n    env_file: [.env, extra.env]\n"
    stack.compose.check_text(stack.name, good, "TAG=1\n")
    with pytest.raises(EngineFailed, match="TAG"):
        stack.compose.check_text(stack.name, good, "")
    with pytest.raises(EngineFailed) as error:
        stack.compose.check_text("brand-new", "services:\n  web: {image: x, ports: [nonsense:1:2:3]}\n", "")
    assert str(stack.root) not in str(error.value.as_dict())
    assert stack.files() == before
    assert not list((stack.root / ".homelab/checks").iterdir())


def test_an_alias_bomb_is_ended_within_its_limits(stack: Stack) -> None:
    lines = ["x-a: &a [x,x,x,x,x,x,x,x,x]"]
    for before, now in zip("abcdef", "bcdefg", strict=True):
        lines.append(f"x-{now}: &{now} [{','.join([f'*{before}'] * 9)}]")
    text = "\n".join([*lines, "services: {web: {image: x}}"])
    start = time.monotonic()
    with pytest.raises(EngineFailed) as error:
        stack.compose.check_text(stack.name, text, "")
    assert error.value.code == "compose_too_costly"
    assert time.monotonic() - start < 25


def test_a_dead_daemon_is_told_from_a_bad_file(stack: Stack, tmp_path: Path) -> None:
    stack.write(TWO)
    compose = ComposeCli(stack.root, f"unix://{tmp_path}/none.sock")
    compose.config(stack.name)
    calls: list[Callable[[], None]] = [
        lambda: compose.up(stack.name, []),
        lambda: compose.down(stack.name),
        lambda: compose.restart(stack.name, []),
        lambda: compose.remove(stack.name, ["web"]),
    ]
    for call in calls:
        with pytest.raises(EngineUnavailable) as error:
            call()
        assert "start docker" in error.value.hint


def test_without_docker_on_the_path_the_hint_says_how_to_get_it(
    stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack.write(TWO)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EngineUnavailable) as error:
        ComposeCli(stack.root).version()
    assert error.value.code == "compose_missing"
    assert "script/setup" in error.value.hint


WATCHED = """
import sys
from pathlib import Path
from homelab_mcp.adapters.compose_cli import ComposeCli
sys.addaudithook(lambda event, args: print(*args[1][1:]) if event == "subprocess.Popen" else None)
ComposeCli(sys.argv[1]).config(sys.argv[2])
"""


def test_one_command_starts_one_program(stack: Stack, tmp_path: Path) -> None:
    stack.write(TWO)
    docker_command = shutil.which("docker")
    assert docker_command
    # Nothing but the plugin can be taken; then another program of Compose's name beside it, so that it must be asked.
    alone, both = tmp_path / "alone", tmp_path / "both"
    for folder in (alone, both):
        folder.mkdir()
        (folder / "docker").symlink_to(docker_command)
    (both / "docker-compose").write_text("#!/bin/sh\necho 1.29.2\n")
    (both / "docker-compose").chmod(0o755)
    seen = []
    for folder in (alone, both):
        argv = [sys.executable, "-c", WATCHED, str(stack.root), stack.name]
        done = subprocess.run(argv, env={**os.environ, "PATH": str(folder)}, capture_output=True, text=True, check=True)
        seen.append([line.split()[-1] for line in done.stdout.splitlines()])
    assert seen == [["--quiet"], ["--short", "--quiet"]]


def test_a_plugin_that_does_not_work_is_none(stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stack.write(TWO)
    plugins = tmp_path / "config" / "cli-plugins"
    plugins.mkdir(parents=True)
    (plugins / "docker-compose").write_text("#!/bin/sh\nexit 1\n")
    (plugins / "docker-compose").chmod(0o755)
    (tmp_path / "docker").symlink_to(shutil.which("docker") or "")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "config"))
    with pytest.raises(EngineUnavailable) as error:
        ComposeCli(stack.root).config(stack.name)
    assert error.value.code == "compose_missing"


def test_a_standalone_compose_will_do(stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plugins = ["/usr/libexec/docker", "/usr/lib/docker", "/usr/local/lib/docker", str(Path.home() / ".docker")]
    binary = next(p for d in plugins if (p := Path(d) / "cli-plugins/docker-compose").exists())
    alone = tmp_path / "bin"
    alone.mkdir()
    (alone / "docker-compose").symlink_to(binary)
    monkeypatch.setenv("PATH", str(alone))
    stack.write(TWO)
    compose = ComposeCli(stack.root)
    assert compose.version()[0] == "2"
    compose.config(stack.name)


def test_version_is_a_number(docker_engine: str) -> None:
    assert ComposeCli("/").version().split(".")[0].isdigit()


@pytest.mark.timeout(180)
def test_killed_in_the_middle_of_up_ten_times_it_heals_each_time(stack: Stack) -> None:
    draw = random.Random(20)
    stack.write(TWO, "SHOWN=0\n")
    stack.compose.up(stack.name, [])
    docker("run", "--rm", "--pull=never", "--entrypoint=/bin/sh", "-v", f"{stack.name}_data:/data", IMAGE, "-c",
           "echo kept > /data/mark")  # fmt: skip
    swept = 0
    for turn in range(1, 11):
        stack.write(
            TWO.replace("homelab-tests/compose:1\n", f"homelab-tests/compose:1\n    labels: {{turn: '{turn}'}}\n")
        )
        child = subprocess.Popen(
            ["docker", "compose", f"--project-name={stack.name}", "up", "-d", "--no-build"],
            cwd=stack.folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        time.sleep(draw.uniform(0.05, 0.6))
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        swept += len(stack.engine.sweep_renamed(stack.name))
        try:
            stack.compose.up(stack.name, [])
        except EngineFailed as error:
            # Docker ended a create that the killed Compose had asked for, after the sweep.
            assert "is already in use by container" in str(error)
            swept += len(stack.engine.sweep_renamed(stack.name))
            stack.compose.up(stack.name, [])
        found = stack.engine.containers(stack.name)
        assert sorted(c.service for c in found) == ["other", "web"], turn
        assert {c.state for c in found} == {"running"}
        assert {c.labels["turn"] for c in found} == {str(turn)}
    mark = docker("run", "--rm", "--pull=never", "--entrypoint=/bin/sh", "-v", f"{stack.name}_data:/data", IMAGE, "-c",
                  "cat /data/mark")  # fmt: skip
    assert mark == "kept"
    assert swept >= 1, "no kill left a renamed container, so nothing was shown"


def test_a_look_at_a_planned_text_keeps_no_text_on_disk_not_even_when_killed(
    stack: Stack, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A compose file that takes Compose seconds, and a kill of everything meanwhile."""
    lines = ["x-a: &a [x,x,x,x,x,x,x,x,x]"]
    for before, now in zip("abcdef", "bcdefg", strict=True):
        lines.append(f"x-{now}: &{now} [{','.join([f'*{before}'] * 9)}]")
    canary, temporary = secrets.token_hex(8), tmp_path_factory.mktemp("temporary")
    text = "\n".join([*lines, f"# {canary}\nservices: {{web: {{image: x}}}}"])
    script = (
        "import sys; from homelab_mcp.adapters.compose_cli import ComposeCli\n"
        "ComposeCli(sys.argv[1]).check_text(*sys.argv[2:])"
    )
    argv = [sys.executable, "-c", script, str(stack.root), stack.name, text, f"PASSWORD='{canary}'\n"]
    child = subprocess.Popen(argv, env={**os.environ, "TMPDIR": str(temporary)})
    checks = stack.root / ".homelab/checks"
    wait_until(lambda: list(checks.glob("*/*/.env")) or None, "the look to begin", within=20, every=0.01)
    wait_until(lambda: Path(f"/proc/{child.pid}/task/{child.pid}/children").read_text() or None, "Compose", every=0.01)
    assert {stat.S_IMODE(p.stat().st_mode) for p in (checks, *checks.iterdir())} == {0o700}
    kill_all(child)
    assert list(checks.iterdir()), "it was killed before it ended"
    found = subprocess.run(["grep", "-rls", canary, stack.root, temporary], capture_output=True, text=True)
    assert found.stdout == ""
    time.sleep(1)
    stack.compose.check_text(stack.name, "services: {web: {image: x}}\n", "")
    assert not list(checks.iterdir())
