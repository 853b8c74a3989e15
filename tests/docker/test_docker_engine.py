"""DockerEngine against a real engine, and against addresses where there is none."""

import os
import resource
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from homelab_mcp.adapters.docker_engine import DockerEngine
from homelab_mcp.core.operations.data_holders import refuse_held
from homelab_mcp.core.stack_owner import parted
from homelab_mcp.model.errors import EngineFailed, EngineUnavailable, InvalidInput
from homelab_mcp.model.observed import Snapshot, StackFiles
from homelab_mcp.model.plan import ActionKind, DataMove, Draft, EngineAction
from testbed import LocalImage, Scratch
from testbed.docker_engine import docker, wait_until

IMAGE = "homelab-tests/engine:1"


@pytest.fixture(scope="module")
def engine(docker_engine: str) -> DockerEngine:
    return DockerEngine()


@pytest.fixture(scope="module")
def image(stand_in: Callable[..., LocalImage]) -> str:
    return stand_in(IMAGE).reference


def in_project(project: str, service: str) -> dict[str, str]:
    return {
        "com.docker.compose.project": project,
        "com.docker.compose.service": service,
        "com.docker.compose.config-hash": "abc123",
    }


def test_what_runs_is_told_with_labels_ports_and_networks(
    engine: DockerEngine, image: str, testbed_run: Scratch
) -> None:
    project = testbed_run.name("told")
    network = testbed_run.network()
    box = testbed_run.container(
        image, labels=in_project(project, "web"), publish={80: None}, network=network, options=["--init"]
    )
    (seen,) = engine.containers(project)
    assert (seen.name, seen.image, seen.state, seen.health) == (box.name, image, "running", "")
    assert (seen.stack, seen.service, seen.config_hash) == (project, "web", "abc123")
    assert [(p.host_ip, p.host_port, p.container_port) for p in seen.ports] == [
        ("127.0.0.1", box.published_port(80), 80)
    ]
    assert seen.networks == (network,)
    assert seen.status.startswith("Up")
    full = engine.inspect(seen.id)
    assert (full.ports, full.networks, full.labels) == (seen.ports, seen.networks, seen.labels)
    assert full.exit_code is None
    assert full.started_at[:4].isdigit()
    assert seen.id in {c.id for c in engine.containers()}


def test_containers_that_compose_did_not_make_are_left_out(
    engine: DockerEngine, image: str, testbed_run: Scratch
) -> None:
    box = testbed_run.container(image)
    assert box.name not in {c.name for c in engine.containers()}


def test_what_compose_run_made_is_no_container_of_the_service(
    engine: DockerEngine, image: str, testbed_run: Scratch, tmp_path: Path
) -> None:
    project = testbed_run.name("once")
    file = tmp_path / "compose.yaml"
    file.write_text(f"services:\n  web: {{image: {image!r}, network_mode: none}}\n")
    compose = ("compose", "--project-name", project, "--file", str(file))
    try:
        docker(*compose, "up", "--detach")
        docker(*compose, "run", "--detach", "web")
        assert len(docker("ps", "--quiet", "--filter", f"label=com.docker.compose.project={project}").split()) == 2
        assert [c.name for c in engine.containers(project)] == [f"{project}-web-1"]
        assert not [c.name for c in engine.containers() if "-run-" in c.name]
    finally:
        docker(*compose, "down", "--remove-orphans", "--timeout", "1")


def test_no_plan_moves_what_compose_run_holds(
    engine: DockerEngine, image: str, testbed_run: Scratch, tmp_path: Path
) -> None:
    stack = testbed_run.name("holds")
    (tmp_path / stack / "bound").mkdir(parents=True)
    text = (
        f"services:\n  db: {{image: {image!r}, network_mode: none, volumes: ['./data:/data', 'named:/named']}}\n"
        f"volumes: {{named: {{driver_opts: {{type: none, o: bind, device: {tmp_path}/{stack}/bound}}}}}}\n"
    )
    file = tmp_path / stack / "compose.yaml"
    file.write_text(text)
    compose = ("compose", "--project-name", stack, "--file", str(file))
    remove = (EngineAction(ActionKind.REMOVE, "", stack, ("db",)),)

    def held(folder: str) -> bool:
        mine, others = parted(engine.containers(besides=True))
        found = Snapshot((StackFiles(stack, f"{stack}/compose.yaml", text),), None, mine, besides=others)
        moves = (DataMove(f"{stack}/{folder}", f".homelab/trash/1/{folder}", ""),)
        try:
            refuse_held(Draft("restore_backup", "", (), remove, moves=moves), found, root=str(tmp_path))
        except InvalidInput as error:
            assert "-db-run-" in error.message
            return True
        return False

    try:
        docker(*compose, "up", "--detach")
        assert not held("data"), "the plan removes the service's own"
        docker(*compose, "run", "--detach", "db")
        docker(*compose, "rm", "--stop", "--force", "db")
        assert len(docker("ps", "--quiet", "--filter", f"label=com.docker.compose.project={stack}").split()) == 1
        assert (held("data"), held("data/one"), held("bound"), held("other")) == (True, True, True, False)
    finally:
        docker(*compose, "down", "--remove-orphans", "--volumes", "--timeout", "1")
    assert not held("data")


@pytest.mark.parametrize(("test", "health"), [("true", "healthy"), ("false", "unhealthy")])
def test_health_is_read_from_the_list(
    engine: DockerEngine, image: str, testbed_run: Scratch, test: str, health: str
) -> None:
    project = testbed_run.name(health)
    options = [f"--health-cmd={test}", "--health-interval=300ms", "--health-retries=2", "--health-timeout=2s"]
    testbed_run.container(image, labels=in_project(project, "web"), options=options)
    first = engine.containers(project)[0].health
    assert first in {"starting", health}
    wait_until(lambda: engine.containers(project)[0].health == health, f"the container to be {health}")
    assert engine.inspect(engine.containers(project)[0].id).health == health


def test_a_crash_loop_shows_in_the_restart_count_and_the_exit_code(
    engine: DockerEngine, image: str, testbed_run: Scratch
) -> None:
    project = testbed_run.name("loop")
    testbed_run.container(
        image,
        "-c",
        "exit 7",
        labels=in_project(project, "web"),
        options=["--restart=always", "--entrypoint=/bin/sh"],
    )
    identity = engine.containers(project)[0].id
    wait_until(lambda: engine.inspect(identity).restart_count >= 3, "three restarts")
    wait_until(lambda: engine.inspect(identity).exit_code == 7, "the exit code")


def test_streams_times_and_tail_of_a_log(engine: DockerEngine, image: str, testbed_run: Scratch) -> None:
    script = "for i in $(seq 1 50); do echo out $i; done; sleep 0.3; echo err é 51 >&2; sleep 0.3; echo; echo last"
    box = testbed_run.container(image, "-c", script, options=["--entrypoint=/bin/sh"])
    wait_until(lambda: box.inspect("{{.State.Status}}") == "exited", "its end")
    lines = list(engine.logs(box.name, tail=5))
    assert [(stream, text) for _, stream, text in lines] == [
        ("stdout", "out 49"),
        ("stdout", "out 50"),
        ("stderr", "err é 51"),
        ("stdout", ""),
        ("stdout", "last"),
    ]
    times = [when for when, _, _ in lines]
    assert times == sorted(times)
    assert all(len(when) == 30 and when.endswith("Z") for when in times)


def test_until_counts_back_from_there_and_not_from_the_end(
    engine: DockerEngine, image: str, testbed_run: Scratch
) -> None:
    script = "for i in $(seq 1 300); do echo a $i; done; sleep 1.2; for i in $(seq 1 5000); do echo b $i; done"
    box = testbed_run.container(image, "-c", script, options=["--entrypoint=/bin/sh"])
    wait_until(lambda: box.inspect("{{.State.Status}}") == "exited", "its end")
    started = engine.inspect(box.name).started_at
    from datetime import datetime

    until = datetime.fromisoformat(started[:26] + "+00:00").timestamp() + 0.8
    assert [text for *_, text in engine.logs(box.name, tail=3, until=until)] == ["a 298", "a 299", "a 300"]
    everything = [text for *_, text in engine.logs(box.name, tail=1000, until=until)]
    assert everything == [f"a {i}" for i in range(1, 301)]


def test_a_terminals_log_has_lines_too(engine: DockerEngine, image: str, testbed_run: Scratch) -> None:
    box = testbed_run.container(
        image, "-c", "echo one; echo two; sleep 60", options=["--tty", "--entrypoint=/bin/sh", "--stop-timeout=1"]
    )
    wait_until(lambda: "two" in box.logs(), "its output")
    assert [text for *_, text in engine.logs(box.name, tail=10)] == ["one", "two"]


def test_a_long_log_and_a_long_line_take_little_memory(engine: DockerEngine, image: str, testbed_run: Scratch) -> None:
    script = "seq 1 200000; head -c 5000000 /dev/zero | tr '\\0' x; echo; echo end"
    box = testbed_run.container(image, "-c", script, options=["--entrypoint=/bin/sh"])
    wait_until(lambda: box.inspect("{{.State.Status}}") == "exited", "its end")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    count, longest, last = 0, 0, ""
    for *_, last in engine.logs(box.name, tail=1_000_000):
        count += 1
        longest = max(longest, len(last))
    assert count > 200_000
    assert last == "end"
    assert longest <= 16_384
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000


def test_networks_come_and_go_and_one_in_use_stays(engine: DockerEngine, image: str, testbed_run: Scratch) -> None:
    name = testbed_run.name("net")
    engine.create_network(name)
    try:
        assert docker("network", "inspect", "--format", '{{index .Labels "homelab.network"}}', name) == "true"
        engine.create_network(name)
        assert docker("network", "ls", "-q", "--filter", f"name=^{name}$").count("\n") == 0
        box = testbed_run.container(image, network=name)
        with pytest.raises(EngineFailed) as refused:
            engine.remove_network(name)
        assert refused.value.code == "network_in_use"
        assert box.name in refused.value.message
        assert name in engine.networks()
        box.remove()
    finally:
        engine.remove_network(name)
    assert name not in engine.networks()
    engine.remove_network(name)


def test_images_are_listed_by_tag(engine: DockerEngine, image: str) -> None:
    assert image in engine.images()


def test_info_names_the_version(engine: DockerEngine, docker_engine: str) -> None:
    info = engine.info()
    assert info.version == docker_engine
    assert info.cpus >= 1
    assert info.memory > 10**8


def test_only_renamed_containers_of_that_project_are_swept(
    engine: DockerEngine, image: str, testbed_run: Scratch
) -> None:
    project = testbed_run.name("sweep")
    kept = testbed_run.container(image, labels=in_project(project, "web"))
    left = testbed_run.container(image, labels=in_project(project, "web"))
    foreign = testbed_run.container(image, labels=in_project(project + "-b", "web"))
    docker("rename", left.name, f"0123456789ab_{left.name}")
    docker("rename", foreign.name, f"0123456789ab_{foreign.name}")
    assert engine.sweep_renamed(project) == [f"0123456789ab_{left.name}"]
    assert [c.name for c in engine.containers(project)] == [kept.name]
    assert len(engine.containers(project + "-b")) == 1
    assert engine.sweep_renamed(project) == []


def test_a_container_that_is_gone_is_said_so(engine: DockerEngine) -> None:
    for ask in (lambda: engine.inspect("nothing-here"), lambda: list(engine.logs("nothing-here", tail=1))):
        with pytest.raises(EngineFailed) as error:
            ask()
        assert error.value.code == "no_such_object"


def calls(engine: DockerEngine) -> list[Callable[[], object]]:
    return [
        engine.info,
        engine.containers,
        engine.networks,
        engine.images,
        lambda: engine.inspect("x"),
        lambda: list(engine.logs("x", tail=1)),
        lambda: engine.create_network("x"),
        lambda: engine.remove_network("x"),
        lambda: engine.sweep_renamed("x"),
    ]


def test_without_a_daemon_every_call_says_so_and_the_way_out(tmp_path: Path) -> None:
    address = f"unix://{tmp_path}/none.sock"
    for call in calls(DockerEngine(address)):
        with pytest.raises(EngineUnavailable) as error:
            call()
        assert address in error.value.message
        assert "systemctl start docker" in error.value.hint


def test_a_docker_host_that_leads_nowhere_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:9")
    with pytest.raises(EngineUnavailable, match=r"tcp://127\.0\.0\.1:9") as error:
        DockerEngine().containers()
    assert "DOCKER_HOST" in error.value.hint


def test_a_context_that_does_not_exist_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setenv("DOCKER_CONTEXT", "no-such-context")
    with pytest.raises(EngineUnavailable) as error:
        DockerEngine().containers()
    assert error.value.code == "engine_context"


@pytest.fixture
def mute_socket(tmp_path: Path) -> Iterator[Path]:
    """A socket that takes connections and never answers, as a hung daemon does."""
    path = tmp_path / "mute.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen(8)
        yield path


def test_a_daemon_that_hangs_is_given_up(mute_socket: Path) -> None:
    start = time.monotonic()
    with pytest.raises(EngineUnavailable) as error:
        DockerEngine(f"unix://{mute_socket}", read_seconds=0.5).containers()
    assert error.value.code == "engine_timeout"
    assert time.monotonic() - start < 5


def test_a_socket_of_another_user_is_told_from_no_daemon(mute_socket: Path) -> None:
    mute_socket.chmod(0o600)
    mute_socket.parent.chmod(0o755)
    for folder in list(mute_socket.parents)[1:3]:
        folder.chmod(0o755)
    seen: list[BaseException] = []

    def as_nobody() -> None:
        # Only this thread loses its rights: setresuid(2) as a bare system call is per thread.
        import ctypes

        libc = ctypes.CDLL(None, use_errno=True)
        if os.geteuid() == 0 and libc.syscall(117, 65534, 65534, 65534) != 0:
            raise OSError(ctypes.get_errno(), "setresuid")
        try:
            DockerEngine(f"unix://{mute_socket}").containers()
        except EngineUnavailable as error:
            seen.append(error)

    if os.geteuid() != 0:
        mute_socket.chmod(0)
    thread = threading.Thread(target=as_nobody)
    thread.start()
    thread.join(10)
    (error,) = seen
    assert isinstance(error, EngineUnavailable)
    assert error.code == "engine_permission"
    assert "usermod -aG docker" in error.hint
