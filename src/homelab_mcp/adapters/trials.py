"""Trials on the Docker Engine: a Compose project each, made from texts that never reach the disk."""

from __future__ import annotations

import io
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from homelab_mcp.adapters.compose_failure import failure
from homelab_mcp.adapters.compose_program import compose_environment, find_compose
from homelab_mcp.adapters.compose_scratch import held_folder, in_memory, sweep_folders
from homelab_mcp.adapters.docker_engine import DockerEngine
from homelab_mcp.adapters.process import Limits, run
from homelab_mcp.core.operations.trial_service import lab_mark
from homelab_mcp.core.redact import safe, secret_values
from homelab_mcp.model.errors import EngineFailed
from homelab_mcp.model.observed import ContainerState
from homelab_mcp.model.trial import TRIAL_LABEL, TRIAL_PROJECT, Trial, TrialSeen

PULL_SECONDS = 1800.0
START_SECONDS = 60.0
LOG_LINES = 60
_POLL = 0.5
PATIENCE = 30.0
"""Seconds for which a removal is tried again: the engine may be at work yet on what a killed Compose asked for."""
QUIET = 1.5
"""Seconds without anything new after which that is over; a container can be listed only after Compose was killed."""
_FOLDER = "homelab-trial-"
_DONE = frozenset({"exited", "dead"})


class ComposeTrials:
    """Fulfils ``ports.Trials``.

    Args:
        engine: whose connection is used.
        root: the lab's folder; its mark on labels tells whose a trial is.
    """

    def __init__(self, engine: DockerEngine, root: str) -> None:
        self._engine = engine
        self._mark = lab_mark(root)

    def run(self, project: str, trial: Trial, step: Callable[[str], None]) -> tuple[TrialSeen, ...]:
        """As the port's."""
        _check(project)
        secrets = secret_values(trial.env_text)
        with _laid_out(trial) as place:

            def compose(*command: str, seconds: float) -> None:
                arguments = [
                    f"--project-name={project}",
                    f"--project-directory={place}",
                    f"--file={place / 'compose.yaml'}",
                    f"--env-file={place / '.env'}",
                    *command,
                ]
                environment = compose_environment()
                full = [*find_compose(environment), "--ansi", "never", "--progress", "plain", *arguments]
                done = run(full, cwd=place, env=environment, timeout=seconds, limits=Limits())
                if done.code or done.timed_out:
                    raise failure(arguments, done, safe(done.output.replace(f"{place}/", ""), secrets), seconds)

            step(f"pulling what {trial.main} needs")
            compose("pull", "--policy", "missing", "--ignore-buildable", seconds=PULL_SECONDS)
            step(f"making {trial.main}")
            compose("up", "--no-start", "--no-build", seconds=START_SECONDS)
            self._fill(project, trial)
            step(f"running {trial.main}")
            said: tuple[str, ...] = ()
            try:
                compose("up", "--detach", "--no-build", "--no-recreate", seconds=trial.seconds + START_SECONDS)
            except EngineFailed as error:
                # A companion that never gets well, or a program that is not in the image: the logs tell why.
                said = tuple(str(error.details.get("output") or error.message).splitlines()[-LOG_LINES:])
        return self._watched(project, trial, said, step)

    def remove(self, project: str) -> list[str]:
        """As the port's."""
        _check(project)
        return self._take_away([f"com.docker.compose.project={project}"], QUIET)

    def sweep(self) -> list[str]:
        """As the port's."""
        sweep_folders(_FOLDER)
        return self._take_away([], 0.0)

    def _take_away(self, labels: Sequence[str], quiet: float) -> list[str]:
        """Remove until nothing new has turned up for that many seconds; what the engine refuses is tried again."""
        filters = {"label": [f"{TRIAL_LABEL}={self._mark}", *labels]}
        gone: set[str] = set()
        begun = last = time.monotonic()
        while True:
            names, refused = self._removed(filters)
            gone |= names
            now = time.monotonic()
            if names or refused is not None:
                last = now
            if refused is None and now - last >= quiet:
                return sorted(gone)
            if now - begun >= PATIENCE:
                if refused is not None:
                    raise refused
                return sorted(gone)
            time.sleep(_POLL)

    def _removed(self, filters: dict[str, list[str]]) -> tuple[set[str], EngineFailed | None]:
        """What is gone by this look, and what the engine refused to remove, if anything."""
        gone: set[str] = set()
        refused: EngineFailed | None = None
        for kind in ("containers", "networks"):
            for identity, name in self._listed(kind, filters):
                try:
                    self._remove(kind, identity)
                except EngineFailed as error:
                    if error.code != "no_such_object":
                        refused = refused or error
                        continue
                gone.add(name)
        return gone, refused

    def _listed(self, kind: str, filters: dict[str, list[str]]) -> list[tuple[str, str]]:
        if kind == "containers":
            found = self._engine.asked(lambda c: c.containers(all=True, filters=filters))
            return [(str(one["Id"]), str((one.get("Names") or ["/?"])[0]).lstrip("/")) for one in found]
        return [(str(one["Id"]), str(one["Name"])) for one in self._engine.asked(lambda c: c.networks(filters=filters))]

    def _remove(self, kind: str, identity: str) -> None:
        if kind == "containers":
            self._engine.asked(lambda c: c.remove_container(identity, force=True, v=True), START_SECONDS)
        else:
            self._engine.asked(lambda c: c.remove_network(identity), START_SECONDS)

    def _fill(self, project: str, trial: Trial) -> None:
        """Give each container its folders and files while it stands still."""
        by_service = {c.service: c.id for c in self._engine.containers(project)}
        for folder in trial.folders:
            archive = _tar([(".", None, 0o777, folder.uid, folder.gid)])
            self._put(by_service.get(folder.service, ""), folder.target, archive)
        for file in trial.files:
            # From the top, so that folders on the way are made where the image lacks them.
            entry = (file.path.lstrip("/"), file.text.encode(), file.mode, file.uid, file.gid)
            self._put(by_service.get(file.service, ""), "/", _tar([entry]))

    def _put(self, container: str, path: str, archive: bytes) -> None:
        if not self._engine.asked(lambda c: c.put_archive(container, path, archive), START_SECONDS):
            raise EngineFailed(f"{path} could not be prepared in the trial.", code="trial_not_prepared")

    def _watched(
        self, project: str, trial: Trial, said: tuple[str, ...], step: Callable[[str], None]
    ) -> tuple[TrialSeen, ...]:
        begun = time.monotonic()
        memory: dict[str, int] = {}
        while True:
            step(f"watching {trial.main}")
            states = self._states(project)
            passed = time.monotonic() - begun
            main = states.get(trial.main)
            up = {name: c for name, c in states.items() if c.state == "running"}
            for name, one in up.items():
                memory[name] = max(memory.get(name, 0), self._memory(one.id))
            settled = main is None or main.state in _DONE or main.health in ("healthy", "unhealthy") or bool(said)
            if settled or passed >= trial.seconds:
                break
            time.sleep(_POLL)
        states = self._states(project)
        passed = time.monotonic() - begun
        order = (trial.main, *(n for n in trial.services if n != trial.main))
        seen = [self._seen(states[n], memory.get(n, 0), passed) for n in order if n in states]
        if said and seen:
            seen[0] = replace(seen[0], log=(*seen[0].log, *said))
        if not seen:
            raise EngineFailed("The trial's container is gone.", code="trial_gone")
        return tuple(seen)

    def _states(self, project: str) -> dict[str, ContainerState]:
        found = {}
        for one in self._engine.containers(project):
            try:
                found[one.service] = replace(self._engine.inspect(one.id), service=one.service)
            except EngineFailed as error:
                if error.code != "no_such_object":
                    raise
        return found

    def _memory(self, container: str) -> int:
        try:
            return self._engine.usage(container).memory
        except EngineFailed:
            # It ended in this second.
            return 0

    def _seen(self, one: ContainerState, memory: int, seconds: float) -> TrialSeen:
        lines = tuple(line for _, _, line in self._engine.logs(one.id, tail=LOG_LINES))
        ended = one.state in _DONE
        return TrialSeen(
            service=one.service,
            state="exited" if ended else one.state,
            health="" if ended else one.health,
            exit_code=one.exit_code if ended else None,
            out_of_memory="memory" in one.status,
            seconds=seconds,
            memory=memory,
            log=lines,
        )


def _check(project: str) -> None:
    if not project.startswith(TRIAL_PROJECT):
        raise EngineFailed(f"{project} is no trial.", code="not_a_trial")


@contextmanager
def _laid_out(trial: Trial) -> Iterator[Path]:
    with held_folder(tempfile.gettempdir(), _FOLDER) as place, ExitStack() as open_files:
        open_files.enter_context(in_memory(place / "compose.yaml", trial.compose_text))
        open_files.enter_context(in_memory(place / ".env", trial.env_text))
        yield place


def _tar(entries: Sequence[tuple[str, bytes | None, int, int, int]]) -> bytes:
    """(name, content or None for a folder, mode, uid, gid) as an archive in memory."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for name, content, mode, uid, gid in entries:
            info = tarfile.TarInfo(name)
            info.mode, info.uid, info.gid = mode, uid, gid
            info.type = tarfile.DIRTYPE if content is None else tarfile.REGTYPE
            info.size = len(content or b"")
            archive.addfile(info, io.BytesIO(content or b""))
    return made.getvalue()
