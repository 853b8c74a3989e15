"""What a run makes on the Docker Engine, kept apart from everything else there and removed at its end."""

import fcntl
import io
import os
import secrets
import shutil
import socket
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence, Sized
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Self, TypeVar

from testbed.runs import RunRecord, home_of_runs

T = TypeVar("T")

LABEL = "homelab.testbed"
HOW_TO_GET_DOCKER = (
    "Docker is needed here: run script/setup, which installs it where root or sudo is at hand, "
    "or leave these tests out with --no-docker."
)


class TestbedError(Exception):
    """A part of the testbed is missing or did not come up; the message says what to do."""

    # pytest collects every imported class whose name begins with Test.
    __test__ = False


def docker(*arguments: str, stdin: bytes | IO[bytes] | None = None, timeout: float = 60) -> str:
    """Run one docker command and return what it printed.

    Raises:
        TestbedError: the command failed; the message holds its last words.
    """
    piped: dict[str, object] = {"input": stdin} if isinstance(stdin, bytes) else {"stdin": stdin}
    if stdin is None:
        piped = {"stdin": subprocess.DEVNULL}
    try:
        done = subprocess.run(  # type: ignore[call-overload]
            ["docker", *arguments], capture_output=True, timeout=timeout, check=False, **piped
        )
    except FileNotFoundError as error:
        raise TestbedError(f"There is no docker command on PATH. {HOW_TO_GET_DOCKER}") from error
    except subprocess.TimeoutExpired as error:
        raise TestbedError(f"docker {' '.join(arguments[:2])} took longer than {timeout:g} s") from error
    if done.returncode != 0:
        words = done.stderr.decode(errors="replace").strip()[-800:]
        raise TestbedError(f"docker {' '.join(arguments[:3])}: {words}")
    output: str = done.stdout.decode(errors="replace").strip()
    return output


def require_docker() -> str:
    """Return the engine's version.

    Raises:
        TestbedError: no engine or no Compose v2 answers; the message says how to get them.
    """
    if shutil.which("docker") is None:
        raise TestbedError(f"There is no docker command on PATH. {HOW_TO_GET_DOCKER}")
    try:
        version = docker("version", "--format", "{{.Server.Version}}", timeout=15)
        docker("compose", "version", timeout=15)
    except TestbedError as error:
        raise TestbedError(f"{HOW_TO_GET_DOCKER} ({error})") from error
    return version


def free_port() -> int:
    """Return a TCP port on loopback that nothing listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until(check: Callable[[], T | None], what: str, *, within: float = 20, every: float = 0.1) -> T:
    """Return the first result of `check` that is neither None nor False, nor empty (a list, a text, a mapping).

    Nothing found yet must not end a wait for something; who waits for nothing asks for it: ``lambda: not missing()``.

    Raises:
        TestbedError: nothing of the kind within the time; `what` says what was waited for.
    """
    end = time.monotonic() + within
    while True:
        result = check()
        if result is not None and result is not False and not (isinstance(result, Sized) and len(result) == 0):
            return result
        if time.monotonic() > end:
            raise TestbedError(f"waited {within:g} s in vain for {what}")
        time.sleep(every)


def tar_of(files: Mapping[str, bytes], *, mode: int = 0o644) -> bytes:
    """Return a tar archive of these files, for `docker cp` and `docker import`."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name.lstrip("/"))
            member.size, member.mode = len(content), mode
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


@dataclass(frozen=True)
class Container:
    """A container of one run."""

    name: str

    def logs(self) -> str:
        """Return the last lines that the container printed on either stream."""
        done = subprocess.run(
            ["docker", "logs", "--tail", "200", self.name], capture_output=True, check=False, timeout=30
        )
        return (done.stdout + done.stderr).decode(errors="replace")

    def inspect(self, template: str) -> str:
        """Return one value of `docker inspect`, by a Go template such as `{{.State.Status}}`."""
        return docker("inspect", "--format", template, self.name)

    def published_port(self, container_port: int) -> int:
        """Return the port on loopback behind which this container port is reached."""
        return int(docker("port", self.name, f"{container_port}/tcp").splitlines()[0].rsplit(":", 1)[1])

    def exec(self, *command: str) -> str:
        """Run a command in the container and return what it printed."""
        return docker("exec", self.name, *command)

    def join(self, network: str, *, alias: str) -> None:
        """Connect the container to one more network."""
        docker("network", "connect", "--alias", alias, network, self.name)

    def leave(self, network: str) -> None:
        """Disconnect the container from a network, so that the network can be removed."""
        docker("network", "disconnect", network, self.name)

    def remove(self) -> None:
        """Remove the container, running or not, with its anonymous volumes."""
        docker("rm", "--force", "--volumes", self.name)


class Scratch:
    """A context in which containers, networks and images may be made; its end removes just those.

    Every object carries the label `homelab.testbed` with the run's id. Local images are shared by the runs
    of one machine at the same time, so the last run to end removes them. What a killed run left is removed first:
    its routes would be served by every Traefik that a test starts.
    """

    def __init__(self, *, keep: bool = False) -> None:
        self.run_id = secrets.token_hex(4)
        self.prefix = f"hltb-{self.run_id}"
        self.keep = keep
        self._projects: list[str] = []
        self._lease: IO[bytes] | None = None
        self._record: RunRecord | None = None

    def __enter__(self) -> Self:
        require_docker()
        path = Path(tempfile.gettempdir()) / f"homelab-testbed-{os.getuid()}.lock"
        self._lease = path.open("ab")
        fcntl.flock(self._lease, fcntl.LOCK_SH)
        for run_id, projects, record in RunRecord.dead(home_of_runs()):
            _remove_run(run_id, projects)
            record.end()
        self._record = RunRecord(home_of_runs(), self.run_id)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Remove everything this run made, unless it was asked to keep it."""
        with ExitStack() as steps:
            steps.callback(self._end_lease)
            if self._record:
                steps.callback(self._record.end)
            if not self.keep:
                _remove_run(self.run_id, self._projects)

    def name(self, what: str) -> str:
        """Return a name for an object of this run that no other object on the engine has."""
        return f"{self.prefix}-{what}-{secrets.token_hex(4)}"

    def network(self, what: str = "net") -> str:
        """Make a bridge network, on RFC 2544's test addresses as Docker's own pools are few, and return its name."""
        name = self.name(what)
        for attempt in range(10):
            subnet = f"198.18.{secrets.randbelow(256)}.{secrets.randbelow(4) * 64}/26"
            try:
                docker("network", "create", "--label", f"{LABEL}={self.run_id}", "--subnet", subnet, name)
                break
            except TestbedError as error:
                if "overlap" not in str(error) or attempt == 9:
                    raise
        return name

    def claim_project(self, project: str) -> str:
        """Promise to remove a Compose project (containers, networks, volumes) that a test will start.

        Raises:
            TestbedError: something of that project exists already, so it may belong to somebody.
        """
        label = f"label=com.docker.compose.project={project}"
        for listing in (("ps", "-aq"), ("volume", "ls", "-q"), ("network", "ls", "-q")):
            if docker(*listing, "--filter", label):
                raise TestbedError(f"a Compose project {project} exists on this engine already; take another name")
        self._projects.append(project)
        if self._record:
            self._record.note(project)
        return project

    def container(
        self,
        image: str,
        *command: str,
        what: str = "box",
        network: str | None = None,
        aliases: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
        labels: Mapping[str, str] | None = None,
        publish: Mapping[int, int | None] | None = None,
        volumes: Mapping[str, str] | None = None,
        files: Mapping[str, bytes] | None = None,
        options: Sequence[str] = (),
    ) -> Container:
        """Start a container.

        Args:
            image: the image, which is never pulled.
            command: what follows the image on docker's command line.
            what: a word for the container's name.
            network: the network to join.
            aliases: names under which others on that network reach it.
            env: environment variables.
            labels: labels besides the run's own.
            publish: container port to port on 127.0.0.1; None lets the engine choose one.
            volumes: path on the engine's host to path in the container (`/a:ro` for read-only).
            files: path in the container to content, put there before it starts.
            options: more options of `docker create`.
        """
        name = self.name(what)
        flags = ["--name", name, "--label", f"{LABEL}={self.run_id}", "--pull", "never"]
        if network:
            flags += ["--network", network, *(f"--network-alias={alias}" for alias in aliases)]
        flags += [f"--env={key}={value}" for key, value in (env or {}).items()]
        flags += [f"--label={key}={value}" for key, value in (labels or {}).items()]
        flags += [f"--publish=127.0.0.1:{host or ''}:{inner}" for inner, host in (publish or {}).items()]
        flags += [f"--volume={host}:{inner}" for host, inner in (volumes or {}).items()]
        docker("create", *flags, *options, image, *command)
        if files:
            docker("cp", "-", f"{name}:/", stdin=tar_of(files))
        docker("start", name)
        return Container(name)

    def _end_lease(self) -> None:
        if self._lease is None:
            return
        try:
            fcntl.flock(self._lease, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pass  # Another run still uses the images.
        else:
            if not self.keep:
                _remove_local_images()
        finally:
            self._lease.close()
            self._lease = None


def _quietly(*arguments: str) -> None:
    try:
        docker(*arguments)
    except TestbedError:
        # Gone already, or still in use by somebody who will remove it.
        return


def _remove_run(run_id: str, projects: Sequence[str]) -> None:
    labels = [*(f"com.docker.compose.project={name}" for name in projects), f"{LABEL}={run_id}"]
    with ExitStack() as steps:
        # Called in reverse: all containers first, as projects join the run's networks and the other way round.
        for label in labels:
            steps.callback(_remove_unused, label)
        for label in labels:
            steps.callback(_remove_containers, label)


def _remove_containers(label: str) -> None:
    if containers := docker("ps", "-aq", "--filter", f"label={label}").split():
        docker("rm", "--force", "--volumes", *containers)


def _remove_unused(label: str) -> None:
    for kind in ("network", "volume"):
        for found in docker(kind, "ls", "-q", "--filter", f"label={label}").split():
            _quietly(kind, "rm", found)


def _remove_local_images() -> None:
    # Without --force: docker itself refuses to remove what a container still uses.
    # An image is listed once for each of its names.
    for reference in dict.fromkeys(docker("images", "--filter", f"label={LABEL}", "--format", "{{.ID}}").split()):
        tags = docker("inspect", "--format", '{{join .RepoTags " "}}', reference).split()
        for target in tags or [reference]:
            _quietly("rmi", target)
