"""Putting the lab back: what to remember before an apply, and how to return to it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace

from homelab_mcp.model.errors import EngineFailed, EngineUnavailable, HomelabError
from homelab_mcp.model.plan import ActionKind, Evidence, Plan
from homelab_mcp.ports import Clock, Compose, Data, Engine, Files, History, PlanStore, Standby, Swarm, Trials
from homelab_mcp.workflow import cert_steps, data_carriers, data_steps, node_steps, standby_steps
from homelab_mcp.workflow.plan_facts import acted_stacks, folders_of
from homelab_mcp.workflow.undo_commit import uncommit
from homelab_mcp.workflow.undo_containers import ContainersBack, by_service
from homelab_mcp.workflow.undo_record import Before, Undone, words

_ENGINE_PATIENCE = 60.0
_POLL = 0.5


class Undo:
    """Remembers and restores. ``engine`` and ``compose`` are None in files-only mode."""

    def __init__(
        self,
        *,
        files: Files,
        history: History,
        plans: PlanStore,
        clock: Clock,
        engine: Engine | None,
        compose: Compose | None,
        data: Data | None = None,
        trials: Trials | None = None,
        swarm: Swarm | None = None,
        standby: Standby | None = None,
    ) -> None:
        self._swarm = swarm
        self._standby = standby
        self._data = data
        self._trials = trials
        self._files = files
        self._history = history
        self._plans = plans
        self._clock = clock
        self._engine = engine
        self._compose = compose

    def remember(self, plan: Plan) -> Before:
        """Save what the plan's files are now, and return the rest of what it starts from."""
        kept = {}
        for edit in plan.draft.edits:
            mode = self._files.mode(edit.path)
            kept[edit.path] = (self._files.read(edit.path), edit.mode if mode is None else mode)
        kept |= cert_steps.remember(self._files, plan)
        self._plans.save_undo(plan.id, kept)
        containers: dict[str, list[list[str]]] = {}
        networks: list[str] = []
        if self._engine is not None and plan.draft.actions:
            for stack in acted_stacks(plan):
                containers |= by_service(self._engine.containers(stack))
            there = self._engine.networks()
            wanted = [a.name for a in plan.draft.actions if a.kind is ActionKind.CREATE_NETWORK]
            networks = sorted(set(wanted) - there)
        moves = data_steps.remember(self._data, plan)
        renewed = sorted({c.name for v in plan.draft.verifications for c in v.certificates})
        standbys = standby_steps.remember(self._standby, plan)
        return Before(containers, networks, self._missing_folders(plan), moves, renewed, standbys)

    def put_back(
        self,
        plan: Plan,
        before: Before,
        restarted: Collection[tuple[str, str]] | None = None,
        *,
        cut_short: bool = False,
    ) -> Undone:
        """Return the lab to what was remembered: each part is tried once, and the evidence tells.

        ``restarted`` are the (stack, service) that came to restart for files of the plan, and restart once more for
        those that were before; None where nobody knows: then all that were to. ``cut_short`` where Compose may have
        been ended or have given up in the middle: Docker is then looked at until it has ended what it was asked.

        Where Docker stays away before the files are put back, they are left as they are: Compose removes what an
        apply added by the file that names it.
        """
        self._plans.release()
        seen: list[Evidence] = []
        added = "containers that the apply added are removed"
        containers = self._containers()
        if (
            containers
            and plan.draft.actions
            and not self._through(seen, added, lambda: containers.remove_added(plan, before, self._trials, seen))
        ):
            return Undone(tuple(seen), unknown=True)
        self._restore_files(plan, seen)
        if plan.draft.drops:
            kept = self._plans.load_undo(plan.id)
            back: Callable[[], None] = lambda: seen.extend(  # noqa: E731
                cert_steps.put_back(self._files, self._compose, plan, kept)
            )
            if not self._through(seen, "certificates", back):
                return Undone(tuple(seen), unknown=True)
        if containers and before.moves:
            self._carriers_back(containers, plan, before, seen)
        if not self._data_back(plan, before, seen):
            # No container starts on data that is not its own.
            return Undone(tuple(seen), unknown=True)
        self._try(seen, "", lambda: self._files.remove_empty_folders(before.folders))
        self._try(seen, "nodes", lambda: seen.extend(node_steps.put_back(self._swarm, plan)))
        self._try(seen, "standby", lambda: seen.extend(standby_steps.put_back(self._standby, plan, before.standbys)))
        reached = (
            containers is None
            or not plan.draft.actions
            or (
                self._bring_back(containers, plan, before, seen, cut_short=cut_short)
                and self._through(seen, "", lambda: containers.read_again(plan, before, restarted, seen))
                and self._through(seen, "", lambda: containers.remove_networks(before.networks, seen))
            )
        )
        commit = ""
        try:
            commit = uncommit(self._history, plan)
        except (HomelabError, OSError) as error:
            seen.append(Evidence("the roll-back is not in git", ok=False, detail=words(error)))
        return Undone(tuple(seen), commit, unknown=not reached)

    def _data_back(self, plan: Plan, before: Before, seen: list[Evidence]) -> bool:
        """False where a host whose data was moved stays away, so that nobody can tell on which side it is."""
        deadline = self._clock.monotonic() + (_ENGINE_PATIENCE if before.moves else 0.0)
        while True:
            try:
                seen.extend(data_steps.put_back(self._data, plan, before.moves))
                return True
            except EngineUnavailable as error:
                if self._clock.monotonic() >= deadline:
                    seen.append(Evidence("not put back (data)", ok=False, detail=words(error)))
                    return False
                self._clock.sleep(_POLL)
            except (HomelabError, OSError) as error:
                seen.append(Evidence("not put back (data)", ok=False, detail=words(error)))
                return True

    def _carriers_back(self, containers: ContainersBack, plan: Plan, before: Before, seen: list[Evidence]) -> None:
        """First what moves data on other hosts: whether it does is told by the data."""
        tried: list[Evidence] = []

        def step() -> None:
            only = data_carriers.carriers(self._files, plan)
            containers.bring_back(plan, before, tried, only=only)

        self._through(tried, "", step)
        seen.extend(e for e in tried if e.ok)

    def _bring_back(
        self, containers: ContainersBack, plan: Plan, before: Before, seen: list[Evidence], *, cut_short: bool
    ) -> bool:
        known = len(seen)
        reached = self._through(seen, "", lambda: containers.bring_back(plan, before, seen))
        if not (reached and cut_short and all(e.ok for e in seen[known:])):
            return reached
        return self._through(seen, "", lambda: containers.look_on(plan, before, seen))

    def out_of_reach(self, plan: Plan) -> Evidence | None:
        """Why this plan's containers cannot be put back now: files-only mode, or a Docker that does not answer."""
        if not plan.draft.actions:
            return None
        if self._engine is None:
            return Evidence("left as it is: it acted on containers, and Docker is left out (files only)", ok=False)
        seen: list[Evidence] = []
        return None if self._await_engine(seen) else replace(seen[0], what=f"left as it is: {seen[0].what}")

    def _containers(self) -> ContainersBack | None:
        if self._engine is None or self._compose is None:
            return None
        return ContainersBack(self._engine, self._compose, self._clock)

    def _missing_folders(self, plan: Plan) -> list[str]:
        wanted = {e.path.rpartition("/")[0] for e in plan.draft.edits if e.after is not None} | set(folders_of(plan))
        wanted |= {m.target.rpartition("/")[0] for m in plan.draft.moves}
        found = set()
        for folder in wanted - {""}:
            parts = folder.split("/")
            ancestors = ["/".join(parts[:n]) for n in range(1, len(parts) + 1)]
            found |= {a for a in ancestors if self._files.mode(a) is None}
        return sorted(found)

    def _restore_files(self, plan: Plan, seen: list[Evidence]) -> None:
        kept = self._plans.load_undo(plan.id)
        after = {e.path: e.after for e in plan.draft.edits}
        restored = []
        stores = {d.store for d in plan.draft.drops}
        for path, (text, mode) in ((p, state) for p, state in kept.items() if p not in stores):
            try:
                now = self._files.read(path)
                if now == text:
                    continue
                if now != after.get(path):
                    # Neither ours nor the old text: a person's edit during the apply, which is never overwritten.
                    seen.append(Evidence(f"{path} was edited by someone meanwhile and is left as it is", ok=False))
                    continue
                if text is None:
                    self._files.remove(path)
                else:
                    self._files.write_atomic(path, text, mode)
                restored.append(path)
            except (HomelabError, OSError) as error:
                seen.append(Evidence(f"{path} could not be put back", ok=False, detail=words(error)))
        if restored:
            seen.append(Evidence(f"files put back: {', '.join(restored)}", ok=True))

    def _await_engine(self, seen: list[Evidence]) -> bool:
        """Wait for an engine that is being restarted."""
        deadline = self._clock.monotonic() + _ENGINE_PATIENCE
        while True:
            try:
                if self._engine is not None:
                    self._engine.networks()
                return True
            except (EngineUnavailable, EngineFailed) as error:
                if self._clock.monotonic() >= deadline:
                    text = "Docker does not answer, so containers could not be put back"
                    seen.append(Evidence(text, ok=False, detail=words(error)))
                    return False
                self._clock.sleep(_POLL)

    def _through(self, seen: list[Evidence], what: str, step: Callable[[], None]) -> bool:
        """Do a step on containers, once more where Docker was restarted meanwhile; False where it stays away."""
        if self._engine is None:
            return True
        for again in (True, False):
            if not self._await_engine(seen):
                return False
            kept = len(seen)
            try:
                step()
                return True
            except (HomelabError, OSError) as error:
                del seen[kept:]
                # What Docker said while it went down looks like any other refusal; its silence now tells them apart.
                if again and (isinstance(error, EngineUnavailable) or not self._answers()):
                    continue
                seen.append(Evidence(f"not put back{f' ({what})' if what else ''}", ok=False, detail=words(error)))
                return not isinstance(error, EngineUnavailable)
        return False

    def _answers(self) -> bool:
        try:
            if self._engine is not None:
                self._engine.networks()
        except (EngineUnavailable, EngineFailed):
            return False
        return True

    def _try(self, seen: list[Evidence], what: str, step: Callable[[], None]) -> None:
        try:
            step()
        except (HomelabError, OSError) as error:
            seen.append(Evidence(f"not put back{f' ({what})' if what else ''}", ok=False, detail=words(error)))
