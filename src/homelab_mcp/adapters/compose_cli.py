"""``docker compose`` v2, run on one stack's folder at a time (https://docs.docker.com/reference/cli/docker/compose/)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from homelab_mcp.adapters.compose_failure import failure
from homelab_mcp.adapters.compose_files import (
    GLOBAL_ENV,
    compose_file,
    compose_text,
    is_plain,
    project_arguments,
    secrets_of,
    written_texts,
)
from homelab_mcp.adapters.compose_lent import ids_of, joined, lenders, unknown
from homelab_mcp.adapters.compose_program import ENGINE_VARIABLES, compose_environment, find_compose
from homelab_mcp.adapters.compose_scratch import laid_out
from homelab_mcp.adapters.process import Finished, Limits, read, run
from homelab_mcp.core.project_name import project_name
from homelab_mcp.core.redact import safe, secret_values
from homelab_mcp.model.errors import EngineFailed, EngineUnavailable, InvalidInput, NotFound
from homelab_mcp.model.lab import COMPOSE_NAMES, OVERRIDE_NAMES

CONFIG_SECONDS = 30.0
WORK_SECONDS = 300.0
PULL_SECONDS = 3600.0
_CHECK_LIMITS = Limits(cpu_seconds=20, memory=512 * 1024 * 1024)
_STACK = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_SERVICE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_INDIRECT = re.compile(r"env_file|include|extends|service:|volumes_from|\b(?:network_mode|ipc|pid)\b[^\n]*\$")


class ComposeCli:
    """Compose on the stacks of one lab.

    Args:
        root: the lab's folder.
        docker_host: the engine's address; None leaves DOCKER_HOST and the Docker context to the docker command.
        on_line: called with each line Compose prints, for progress.
        reach: asked for what the docker command needs to reach a stack's host; raises EngineUnavailable.
    """

    def __init__(
        self,
        root: str | Path,
        docker_host: str | None = None,
        *,
        on_line: Callable[[str], None] | None = None,
        reach: Callable[[str], Mapping[str, str]] | None = None,
    ) -> None:
        self._root = Path(root)
        self._reach = reach
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

    def check_text(
        self,
        stack: str,
        text: str,
        env_text: str,
        others: Sequence[tuple[str, str]] = (),
        named: Sequence[tuple[str, str]] = (),
    ) -> None:
        """As ``config``, for texts that are not on disk yet, and never get there."""
        self._known(stack, must_exist=False)
        over = {Path(path).name: other for path, other in others}
        with laid_out(self._root, stack, {COMPOSE_NAMES[0]: text, **over, ".env": env_text}, dict(named)) as place:
            env_files = [str(place / ".env")]
            shared = self._root / GLOBAL_ENV
            if shared.is_file():
                env_files.insert(0, str(shared))
            files = [place / name for name in over]
            arguments = project_arguments(stack, place / COMPOSE_NAMES[0], text, env_files, files)
            self._run(
                [*arguments, "config", "--quiet"],
                cwd=place,
                timeout=CONFIG_SECONDS,
                limits=_CHECK_LIMITS,
                secrets=[*secret_values(env_text), *secrets_of(shared)],
                hide=str(place.parent),
            )

    def resolved(self, stack: str) -> dict[str, Any]:
        """What Compose reads from the stack's files, as ``config --format json``: it holds secrets.

        Raises EngineFailed (code ``compose_config``) where Compose refuses them.
        """
        arguments, folder, known = self._place(stack)
        found = json.loads(self._read([*arguments, "config", "--format", "json"], folder, known))
        return found if isinstance(found, dict) else {}

    def project(self, stack: str) -> str:
        """The name of the stack's project."""
        return project_name(stack, compose_text(self._known(stack)))

    def secrets(self, stack: str) -> list[str]:
        """The values of the stack's env files, which nothing may print."""
        return self._place(stack)[2]

    def environment(self) -> dict[str, str]:
        """What the docker command gets of this process's environment."""
        return self._environment()

    def hashes(self, stack: str) -> dict[str, str]:
        """Service -> the hash that ``up`` labels its container with (``com.docker.compose.config-hash``).

        ``config --hash`` on files with ``env_file`` hashes the files' names, where ``up`` hashes what stands in them
        (measured with 2.26 and 2.40); so such files are resolved first, and the hash is of that.
        """
        arguments, folder, known = self._place(stack)
        whole, untold = b"", frozenset[str]()
        if _INDIRECT.search(written_texts(folder)):
            whole = self._read([*arguments, "config", "--format", "json"], folder, known)
            model = json.loads(whole)
            ids: dict[str, str] = {}
            if lenders(model):
                ids = self._ids(stack, arguments, folder, known)
                whole = json.dumps(joined(model, ids)).encode()
            untold = frozenset(unknown(model, ids))
            arguments = [f"--project-directory={folder}", "--file=-"]
        said = self._read([*arguments, "config", "--hash", "*"], folder, known, stdin=whole)
        pairs = (line.split() for line in said.decode("utf-8", "replace").splitlines())
        return {pair[0]: "" if pair[0] in untold else pair[1] for pair in pairs if len(pair) == 2}

    def _ids(self, stack: str, arguments: Sequence[str], folder: Path, known: Sequence[str]) -> dict[str, str]:
        """Service -> the id of its container, where it has one and the stack's engine answers."""
        wanted = [*arguments, "ps", "--all", "--no-trunc", "--format", "json"]
        try:
            reach = self._reach(stack) if self._reach else {}
            return ids_of(self._read(wanted, folder, known, reach=reach).decode("utf-8", "replace"))
        except (EngineFailed, EngineUnavailable):
            return {}

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

    def back(self, stack: str, services: Sequence[str]) -> None:
        """As ``up``: the files are again what they were, and containers follow them."""
        self.up(stack, services)

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

    def start(self, stack: str, services: Sequence[str]) -> None:
        """Start containers that are there, as they are."""
        self._on_stack(stack, ["start"], services, timeout=WORK_SECONDS)

    def recreate(self, stack: str, services: Sequence[str]) -> None:
        """Make these containers anew, whether or not their files changed; nothing else is touched."""
        command = ["up", "--detach", "--no-build", "--force-recreate", "--no-deps"]
        self._on_stack(stack, command, services, timeout=WORK_SECONDS)

    def pause(self, stack: str, services: Sequence[str]) -> None:
        """Freeze the services' processes; they keep their memory."""
        self._on_stack(stack, ["pause"], services, timeout=WORK_SECONDS)

    def unpause(self, stack: str, services: Sequence[str]) -> None:
        """Let paused services go on."""
        self._on_stack(stack, ["unpause"], services, timeout=WORK_SECONDS)

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
        reach = self._reach(stack) if self._reach and command[0] != "config" else {}
        return self._run(arguments, cwd=folder, timeout=timeout, limits=limits, secrets=known, reach=reach)

    def _place(self, stack: str) -> tuple[list[str], Path, list[str]]:
        """The arguments that name the stack's project, its folder, and the secrets that Compose may speak of."""
        folder = self._known(stack)
        file = compose_file(folder)
        if file is None:
            raise NotFound(f"There is no compose file in {stack}.", hint="See `homelab-mcp status` for the stacks.")
        env_files = [str(p) for p in (self._root / GLOBAL_ENV, folder / ".env") if p.is_file()]
        known = [v for p in env_files for v in secrets_of(Path(p))]
        text = file.read_text(encoding="utf-8", errors="replace")
        # Compose itself takes it only where no file is named.
        over = [p for p in (folder / name for name in OVERRIDE_NAMES) if is_plain(p)][:1]
        return project_arguments(stack, file, text, env_files, over), folder, known

    def _read(
        self,
        arguments: Sequence[str],
        folder: Path,
        secrets: Sequence[str],
        *,
        stdin: bytes = b"",
        reach: Mapping[str, str] | None = None,
    ) -> bytes:
        """What a command that changes nothing prints. Raises EngineFailed, EngineUnavailable."""
        done, out = read(
            [*self._find(), "--ansi", "never", *arguments],
            cwd=folder,
            env=self._reaching(reach),
            timeout=CONFIG_SECONDS,
            limits=_CHECK_LIMITS,
            stdin=stdin,
        )
        if done.code == 0 and not done.timed_out:
            return out
        raise failure(arguments, done, safe(done.output, secrets), CONFIG_SECONDS)

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
        reach: Mapping[str, str] | None = None,
    ) -> Finished:
        program = self._find()
        full = [
            *program,
            *([] if arguments[0] == "version" else ["--ansi", "never", "--progress", "plain"]),
            *arguments,
        ]
        env = self._reaching(reach)
        done = run(full, cwd=cwd, env=env, timeout=timeout, limits=limits, on_line=self._on_line)
        if done.code == 0 and not done.timed_out:
            return done
        output = done.output.replace(hide + "/", "") if hide else done.output
        raise failure(arguments, done, safe(output, secrets), timeout)

    def _find(self) -> tuple[str, ...]:
        if self._program is None:
            self._program = find_compose(self._environment())
        return self._program

    def _reaching(self, reach: Mapping[str, str] | None) -> dict[str, str]:
        # Another host's address must not meet certificates or a context of this machine's.
        other = {k: v for k, v in self._environment().items() if not (reach and k in ENGINE_VARIABLES)}
        return {**other, **(reach or {})}

    def _environment(self) -> dict[str, str]:
        kept = compose_environment()
        if self._docker_host:
            kept["DOCKER_HOST"] = self._docker_host
        return kept
