"""``docker compose`` v2, run on one stack's folder at a time (https://docs.docker.com/reference/cli/docker/compose/)."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from homelab_mcp.adapters.process import Finished, Limits, read, run
from homelab_mcp.core.project_name import folder_project, written_name
from homelab_mcp.core.redact import safe, secret_values
from homelab_mcp.model.errors import EngineFailed, EngineUnavailable, InvalidInput, NotFound
from homelab_mcp.model.lab import COMPOSE_NAMES, OVERRIDE_NAMES

GLOBAL_ENV = "global.env"
"""Variables for every stack, at the lab's root; read before the stack's own, as Dockge does."""

CONFIG_SECONDS = 30.0
WORK_SECONDS = 300.0
PULL_SECONDS = 3600.0
_CHECK_LIMITS = Limits(cpu_seconds=20, memory=512 * 1024 * 1024)
_KEPT = re.compile(
    r"PATH|HOME|USER|LOGNAME|LANG|LC_[A-Z]+|TMPDIR|TERM|XDG_[A-Z_]+|SSH_[A-Z_]+|SSL_CERT_(FILE|DIR)|BUILDKIT_[A-Z_]+"
    r"|DOCKER_(?!DEFAULT_PLATFORM$)[A-Z_]+|(?i:(http|https|all|no)_proxy)"
)
"""What Compose gets of this process's environment: any other variable there would win over the stack's ``.env``."""
_STACK = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_SERVICE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_DAEMON_GONE = re.compile(r"cannot connect to the docker daemon|error during connect|connection refused", re.IGNORECASE)
_NOT_ALLOWED = re.compile(r"permission denied while trying to connect", re.IGNORECASE)
_FOUND_NO_PLUGIN = re.compile(
    r"'compose' is not a docker command|unknown command: docker compose|unknown (shorthand )?flag"
)
CRASH = re.compile(r"^(goroutine \d+ |fatal error: |r[a-d]x )", re.MULTILINE)
_INDIRECT = re.compile(r"env_file|include|extends")
_PLUGIN_HINT = "Run script/setup, or install the package docker-compose-v2, docker-compose-plugin or docker-compose."


class ComposeCli:
    """Compose on the stacks of one lab.

    Args:
        root: the lab's folder.
        docker_host: the engine's address; None leaves DOCKER_HOST and the Docker context to the docker command.
        on_line: called with each line Compose prints, for progress.
    """

    def __init__(
        self, root: str | Path, docker_host: str | None = None, *, on_line: Callable[[str], None] | None = None
    ) -> None:
        self._root = Path(root)
        self._docker_host = docker_host
        self._on_line = on_line
        self._program: tuple[str, ...] | None = None

    def version(self) -> str:
        """Compose's version, such as 2.26.1."""
        done = self._run(["version", "--short"], cwd=None, timeout=CONFIG_SECONDS)
        return done.output.strip().splitlines()[-1].removeprefix("v") if done.output.strip() else ""

    def config(self, stack: str) -> None:
        """Let Compose judge the stack's files; needs no daemon. Raises EngineFailed with what it said."""
        self._on_stack(stack, ["config", "--quiet"], timeout=CONFIG_SECONDS, limits=_CHECK_LIMITS)

    def check_text(self, stack: str, compose_text: str, env_text: str, others: Sequence[tuple[str, str]] = ()) -> None:
        """As ``config``, for texts that are not on disk yet; in a private folder that is removed afterwards."""
        self._known(stack, must_exist=False)
        with tempfile.TemporaryDirectory(prefix="homelab-check-") as folder:
            place = Path(folder) / stack
            place.mkdir(mode=0o700)
            _mirror(self._root, Path(folder), {stack})
            _mirror(self._root / stack, place, {*COMPOSE_NAMES, *OVERRIDE_NAMES, ".env"})
            _private(place / COMPOSE_NAMES[0], compose_text)
            over = [_private(place / Path(path).name, text) for path, text in others]
            _private(place / ".env", env_text)
            env_files = [str(place / ".env")]
            shared = self._root / GLOBAL_ENV
            if shared.is_file():
                env_files.insert(0, str(shared))
            arguments = project_arguments(stack, place / COMPOSE_NAMES[0], compose_text, env_files, over)
            self._run(
                [*arguments, "config", "--quiet"],
                cwd=place,
                timeout=CONFIG_SECONDS,
                limits=_CHECK_LIMITS,
                secrets=[*secret_values(env_text), *_shared_secrets(shared)],
                hide=folder,
            )

    def resolved(self, stack: str) -> dict[str, Any]:
        """What Compose reads from the stack's files, as ``config --format json``: it holds secrets.

        Raises EngineFailed (code ``compose_config``) where Compose refuses them.
        """
        arguments, folder, known = self._place(stack)
        found = json.loads(self._read([*arguments, "config", "--format", "json"], folder, known))
        return found if isinstance(found, dict) else {}

    def hashes(self, stack: str) -> dict[str, str]:
        """Service -> the hash that ``up`` labels its container with (``com.docker.compose.config-hash``).

        ``config --hash`` on files with ``env_file`` hashes the files' names, where ``up`` hashes what stands in them
        (measured with 2.26 and 2.40); so such files are resolved first, and the hash is of that.
        """
        arguments, folder, known = self._place(stack)
        whole = b""
        if _INDIRECT.search(_compose_text(folder)):
            whole = self._read([*arguments, "config", "--format", "json"], folder, known)
            arguments = [f"--project-directory={folder}", "--file=-"]
        said = self._read([*arguments, "config", "--hash", "*"], folder, known, stdin=whole)
        pairs = (line.split() for line in said.decode("utf-8", "replace").splitlines())
        return {pair[0]: pair[1] for pair in pairs if len(pair) == 2}

    def pull(self, stack: str, services: Sequence[str]) -> None:
        """Pull what is missing; an image that is on the engine costs no request to a registry."""
        self._on_stack(
            stack,
            ["pull", "--policy", "missing", "--ignore-buildable", "--include-deps"],
            services,
            timeout=PULL_SECONDS,
        )

    def up(self, stack: str, services: Sequence[str]) -> None:
        """Create, recreate and start, without waiting for health. Other services' containers stay as they are."""
        self._on_stack(stack, ["up", "--detach", "--no-build"], services, timeout=WORK_SECONDS)

    def remove(self, stack: str, services: Sequence[str]) -> None:
        """Stop and remove containers of these services; never volumes. Raises InvalidInput without services."""
        if not services:
            raise InvalidInput("No service was named to remove.", hint="Name them; `down` removes a whole stack.")
        self._on_stack(stack, ["rm", "--stop", "--force"], services, timeout=WORK_SECONDS)

    def down(self, stack: str) -> None:
        """Stop and remove the stack's containers and own networks; never volumes."""
        self._on_stack(stack, ["down"], timeout=WORK_SECONDS)

    def restart(self, stack: str, services: Sequence[str]) -> None:
        """Restart the services; without any, the whole stack."""
        self._on_stack(stack, ["restart"], services, timeout=WORK_SECONDS)

    def stop(self, stack: str, services: Sequence[str]) -> None:
        """Stop the services' containers and keep them; without any, the whole stack's."""
        self._on_stack(stack, ["stop"], services, timeout=WORK_SECONDS)

    def create(self, stack: str, services: Sequence[str]) -> None:
        """Create or recreate containers as the files say, without starting them."""
        self._on_stack(stack, ["up", "--no-start", "--no-build", "--no-deps"], services, timeout=WORK_SECONDS)

    def _on_stack(
        self,
        stack: str,
        command: Sequence[str],
        services: Sequence[str] = (),
        *,
        timeout: float,
        limits: Limits | None = None,
    ) -> Finished:
        for service in services:
            if not _SERVICE.fullmatch(service):
                raise InvalidInput(f"{service!r} is not a service name.", hint="Use letters, digits, '-', '_' and '.'.")
        arguments, folder, known = self._place(stack)
        arguments += command
        if services:
            arguments += ["--", *services]
        return self._run(arguments, cwd=folder, timeout=timeout, limits=limits, secrets=known)

    def _place(self, stack: str) -> tuple[list[str], Path, list[str]]:
        """The arguments that name the stack's project, its folder, and the secrets that Compose may speak of."""
        folder = self._known(stack)
        file = _compose_file(folder)
        if file is None:
            raise NotFound(f"There is no compose file in {stack}.", hint="See `homelab-mcp status` for the stacks.")
        env_files = [str(p) for p in (self._root / GLOBAL_ENV, folder / ".env") if p.is_file()]
        known = [v for p in env_files for v in secret_values(Path(p).read_text(encoding="utf-8", errors="replace"))]
        text = file.read_text(encoding="utf-8", errors="replace")
        # Compose itself takes it only where no file is named.
        over = [p for p in (folder / name for name in OVERRIDE_NAMES) if _is_plain(p)][:1]
        return project_arguments(stack, file, text, env_files, over), folder, known

    def _read(self, arguments: Sequence[str], folder: Path, secrets: Sequence[str], *, stdin: bytes = b"") -> bytes:
        """What a ``config`` command prints. Raises EngineFailed, EngineUnavailable."""
        done, out = read(
            [*self._find(), "--ansi", "never", *arguments],
            cwd=folder,
            env=self._environment(),
            timeout=CONFIG_SECONDS,
            limits=_CHECK_LIMITS,
            stdin=stdin,
        )
        if done.code == 0 and not done.timed_out:
            return out
        raise _failure(arguments, done, safe(done.output, secrets), CONFIG_SECONDS)

    def _known(self, stack: str, *, must_exist: bool = True) -> Path:
        if not _STACK.fullmatch(stack):
            raise InvalidInput(f"{stack!r} is not a stack name.", hint="Use lower-case letters, digits, '-' and '_'.")
        folder = self._root / stack
        if must_exist and not folder.is_dir():
            raise NotFound(f"There is no stack {stack}.", hint="See `homelab-mcp status` for the stacks.")
        return folder

    def _run(
        self,
        arguments: Sequence[str],
        *,
        cwd: Path | None,
        timeout: float,
        limits: Limits | None = None,
        secrets: Sequence[str] = (),
        hide: str = "",
    ) -> Finished:
        program = self._find()
        full = [
            *program,
            *([] if arguments[0] == "version" else ["--ansi", "never", "--progress", "plain"]),
            *arguments,
        ]
        done = run(full, cwd=cwd, env=self._environment(), timeout=timeout, limits=limits, on_line=self._on_line)
        if done.code == 0 and not done.timed_out:
            return done
        output = done.output.replace(hide + "/", "") if hide else done.output
        raise _failure(arguments, done, safe(output, secrets), timeout)

    def _find(self) -> tuple[str, ...]:
        if self._program is None:
            self._program = find_compose(self._environment())
        return self._program

    def _environment(self) -> dict[str, str]:
        kept = compose_environment()
        if self._docker_host:
            kept["DOCKER_HOST"] = self._docker_host
        return kept


def compose_environment() -> dict[str, str]:
    """The part of this process's environment that Compose gets."""
    return {k: v for k, v in os.environ.items() if _KEPT.fullmatch(k)}


def find_compose(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Compose v2 as it is to be called: the docker command's plugin, else the program docker-compose.

    Raises:
        EngineUnavailable: there is none (code ``compose_missing``); the hint says how to get it.
    """
    docker = shutil.which("docker")
    if docker and _answers((docker, "compose"), environment):
        return docker, "compose"
    standalone = shutil.which("docker-compose")
    if standalone and _answers((standalone,), environment):
        return (standalone,)
    missing = "Compose v2 is not installed" if docker else "The docker command is not installed"
    raise EngineUnavailable(f"{missing}.", hint=_PLUGIN_HINT, code="compose_missing")


def _answers(program: Sequence[str], environment: Mapping[str, str]) -> bool:
    try:
        done = subprocess.run(
            [*program, "version", "--short"],
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=20,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    # Compose v1 answers too, but knows none of the options used here.
    return done.returncode == 0 and bool(re.match(rb"v?([2-9]|[1-9][0-9])\.", done.stdout.strip()))


def project_arguments(
    stack: str, file: Path, compose_text: str, env_files: Sequence[str], others: Sequence[Path] = ()
) -> list[str]:
    """The options that tell Compose whose files these are: folder, files, project name and env files."""
    arguments = [f"--project-directory={file.parent}", f"--file={file}", *(f"--file={other}" for other in others)]
    if written_name(compose_text) is None:
        arguments.append(f"--project-name={folder_project(stack)}")
    return arguments + [f"--env-file={path}" for path in env_files]


def _mirror(folder: Path, into: Path, without: set[str]) -> None:
    # So that relative paths (env_file, include, secrets) lead where they would lead from the stack's own folder.
    if folder.is_dir():
        for entry in sorted(folder.iterdir()):
            if entry.name not in without:
                (into / entry.name).symlink_to(entry.absolute())


def _shared_secrets(path: Path) -> tuple[str, ...]:
    return secret_values(path.read_text(encoding="utf-8", errors="replace")) if path.is_file() else ()


def _compose_file(folder: Path) -> Path | None:
    return next((folder / name for name in COMPOSE_NAMES if _is_plain(folder / name)), None)


def _compose_text(folder: Path) -> str:
    file = _compose_file(folder)
    return file.read_text(encoding="utf-8", errors="replace") if file else ""


def _is_plain(path: Path) -> bool:
    """A file of its own: where the lab's files are read, links are not followed either."""
    return path.is_file() and not path.is_symlink()


def _private(path: Path, text: str) -> Path:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    return path


def _failure(arguments: Sequence[str], done: Finished, said: str, timeout: float) -> EngineFailed | EngineUnavailable:
    verb = next((a for a in arguments if not a.startswith("-")), "compose")
    details = {"output": said, "exit_code": done.code}
    if done.timed_out:
        return EngineFailed(
            f"docker compose {verb} took longer than {timeout:g} seconds and was ended.",
            hint="What it had begun may be half done: see `homelab-mcp status`.",
            code="compose_timeout",
            details=details,
        )
    if _NOT_ALLOWED.search(said):
        return EngineUnavailable(
            "This user may not talk to Docker.",
            hint="Add the user to the group docker (`sudo usermod -aG docker $USER`) and log in again.",
            code="engine_permission",
            details=details,
        )
    if _DAEMON_GONE.search(said):
        return EngineUnavailable(
            "Docker is not running.", hint="Start it with `sudo systemctl start docker`.", details=details
        )
    if _FOUND_NO_PLUGIN.search(said):
        return EngineUnavailable(
            "Compose v2 is not installed.", hint=_PLUGIN_HINT, code="compose_missing", details=details
        )
    # A Go program that runs into its limit dies with a dump of its threads, a killed plugin without a word.
    if verb == "config" and (done.code < 0 or not said.strip() or CRASH.search(said)):
        return EngineFailed(
            "Compose needed more than 20 s or 512 MiB to read the file.",
            hint="Look for deeply nested aliases.",
            code="compose_too_costly",
            details={"exit_code": done.code},
        )
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return EngineFailed(
        f"docker compose {verb} failed: {lines[-1][:300] if lines else f'exit code {done.code}'}",
        hint="The details hold its last lines.",
        code="compose_config" if verb == "config" else None,
        details=details,
    )
