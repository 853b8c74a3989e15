"""Putting the lab back: what to remember before an apply, and how to return to it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace

from homelab_mcp.model.errors import EngineFailed, EngineUnavailable, HomelabError
from homelab_mcp.model.observed import ContainerState
from homelab_mcp.model.plan import ActionKind, Evidence, Plan
from homelab_mcp.ports import Clock, Compose, Data, Engine, Files, History, PlanStore, Trials
from homelab_mcp.workflow import cert_steps, data_steps, trial_steps
from homelab_mcp.workflow.plan_facts import acted_stacks, folders_of, is_commit_of, public_paths
from homelab_mcp.workflow.stack_engine import take_away
from homelab_mcp.workflow.undo_record import Before, Undone

_UP = frozenset({"running", "restarting"})
_DOWN = frozenset({"created", "exited", "dead"})
_ENGINE_PATIENCE = 60.0
_SETTLE = 15.0
_HEALTH = 60.0
"""Seconds for what reads its files again to come up: people meet it as soon as the roll-back says that it is over."""
_POLL = 0.5
_RECENT = 20
"""Commits among which an apply's own is looked for: it is the last one, but for what a person added since."""


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
    ) -> None:
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
                containers |= _by_service(self._engine.containers(stack))
            there = self._engine.networks()
            wanted = [a.name for a in plan.draft.actions if a.kind is ActionKind.CREATE_NETWORK]
            networks = sorted(set(wanted) - there)
        moves = data_steps.remember(self._data, plan)
        renewed = sorted({c.name for v in plan.draft.verifications for c in v.certificates})
        return Before(containers, networks, self._missing_folders(plan), moves, renewed)

    def put_back(self, plan: Plan, before: Before, restarted: Collection[tuple[str, str]] | None = None) -> Undone:
        """Return the lab to what was remembered: each part is tried once, and the evidence tells.

        ``restarted`` are the (stack, service) that came to restart for files of the plan, and restart once more for
        those that were before; None where nobody knows: then all that were to.

        Where Docker stays away before the files are put back, they are left as they are: Compose removes what an
        apply added by the file that names it.
        """
        self._plans.release()
        seen: list[Evidence] = []
        added = "containers that the apply added are removed"
        if plan.draft.actions and not self._through(seen, added, lambda: self._remove_added(plan, before, seen)):
            return Undone(tuple(seen), unknown=True)
        self._restore_files(plan, seen)
        if plan.draft.drops:
            kept = self._plans.load_undo(plan.id)
            back: Callable[[], None] = lambda: seen.extend(  # noqa: E731
                cert_steps.put_back(self._files, self._compose, plan, kept)
            )
            if not self._through(seen, "certificates", back):
                return Undone(tuple(seen), unknown=True)
        self._try(seen, "data", lambda: seen.extend(data_steps.put_back(self._data, plan, before.moves)))
        self._try(seen, "", lambda: self._files.remove_empty_folders(before.folders))
        reached = not plan.draft.actions or (
            self._through(seen, "", lambda: self._bring_back(plan, before, seen))
            and self._through(seen, "", lambda: self._read_again(plan, before, restarted, seen))
            and self._through(seen, "", lambda: self._remove_networks(before.networks, seen))
        )
        commit = ""
        try:
            commit = self._uncommit(plan)
        except (HomelabError, OSError) as error:
            seen.append(Evidence("the roll-back is not in git", ok=False, detail=_words(error)))
        return Undone(tuple(seen), commit, unknown=not reached)

    def out_of_reach(self, plan: Plan) -> Evidence | None:
        """Why this plan's containers cannot be put back now: files-only mode, or a Docker that does not answer."""
        if not plan.draft.actions:
            return None
        if self._engine is None:
            return Evidence("left as it is: it acted on containers, and Docker is left out (files only)", ok=False)
        seen: list[Evidence] = []
        return None if self._await_engine(seen) else replace(seen[0], what=f"left as it is: {seen[0].what}")

    def _uncommit(self, plan: Plan) -> str:
        """Take back in git what an apply committed before it was cut off; "" where it had come to no commit.

        Git gets what it held before the apply, not what is on disk: a person's own edit is theirs to commit.
        """
        log = self._history.log(_RECENT)
        mine = [n for n, commit in enumerate(log) if f"Plan: {plan.id}" in commit.message.splitlines()]
        if not mine or not any(is_commit_of(plan, log[n].message) for n in mine):
            return ""
        paths = public_paths(plan)
        base = log[mine[-1] + 1].id if mine[-1] + 1 < len(log) else ""
        before = self._history.committed(paths, base) if base else dict.fromkeys(paths)
        edits = {e.path: e for e in (*plan.draft.edits, *plan.draft.adopts)}
        texts = {
            path: (before[path], edits[path].mode)
            for path, text in self._history.committed(paths).items()
            if text == edits[path].after and text != before[path]
        }
        message = f"Roll back: {plan.draft.summary}\n\nPlan: {plan.id}\n"
        return self._history.commit(sorted(texts), message, texts=texts) if texts else ""

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
                seen.append(Evidence(f"{path} could not be put back", ok=False, detail=_words(error)))
        if restored:
            seen.append(Evidence(f"files put back: {', '.join(restored)}", ok=True))

    def _remove_added(self, plan: Plan, before: Before, seen: list[Evidence]) -> None:
        engine, compose = self._engine, self._compose
        if engine is None or compose is None:
            return
        seen.extend(trial_steps.remove(self._trials, plan))
        for stack in acted_stacks(plan):
            engine.sweep_renamed(stack)
            now = _by_service(engine.containers(stack))
            added = sorted(key.partition("/")[2] for key in now if key not in before.containers)
            # A container holds the folder that it was made with: none may while its data goes back.
            taken = {s for a in plan.draft.actions if a.kind is ActionKind.REMOVE for s in a.services}
            anew = {k.partition("/")[2] for k in now if now[k] != before.containers.get(k, now[k])}
            if plan.draft.moves and taken & anew:
                take_away(engine, compose, stack, sorted(taken & anew))
            if added and not any(key.partition("/")[0] == stack for key in before.containers):
                # The whole stack is new: its own networks go too.
                compose.down(stack)
            elif added:
                take_away(engine, compose, stack, added)

    def _bring_back(self, plan: Plan, before: Before, seen: list[Evidence]) -> None:
        engine, compose = self._engine, self._compose
        if engine is None or compose is None:
            return
        for stack in acted_stacks(plan):
            now = _by_service(engine.containers(stack))
            mine = {k.partition("/")[2]: (v, now.get(k, [])) for k, v in before.containers.items() if _of(stack, k)}
            self._thaw(stack, mine)
            self._bring_down(stack, mine, seen)
            moved = [s for s, (then, rows) in mine.items() if _ups(then) and not _ups(then) <= _ups(rows)]
            if moved:
                compose.up(stack, sorted(moved))
                running = self._settled(stack, set(moved))
                what = f"{', '.join(sorted(moved))} of {stack} " + (
                    "runs again as before" if running else "does not run"
                )
                seen.append(Evidence(what, ok=running))

    def _read_again(
        self, plan: Plan, before: Before, restarted: Collection[tuple[str, str]] | None, seen: list[Evidence]
    ) -> None:
        """Restart who read the plan's files at its start and is the same container still: it would go by them on."""
        if self._compose is None or self._engine is None or not plan.draft.edits:
            return
        for action in (a for a in plan.draft.actions if a.kind is ActionKind.RESTART):
            now = _by_service(self._engine.containers(action.stack))
            again = []
            for service in action.services:
                key = f"{action.stack}/{service}"
                same = _ups(before.containers.get(key, [])) & _ups(now.get(key, []))
                if same and (restarted is None or (action.stack, service) in restarted):
                    again.append(service)
            if again:
                self._compose.restart(action.stack, again)
                running = self._settled(action.stack, set(again), healthy=True)
                what = f"{', '.join(again)} of {action.stack} read its files again"
                seen.append(
                    Evidence(what if running else f"{', '.join(again)} of {action.stack} does not run", running)
                )

    def _bring_down(
        self, stack: str, services: Mapping[str, tuple[list[list[str]], list[list[str]]]], seen: list[Evidence]
    ) -> None:
        """Services that were not running before do not run after; one that was recreated is made anew from the file."""
        down = {s: rows for s, rows in services.items() if all(state in _DOWN for _, state in rows[0])}
        started = sorted(s for s, (_, now) in down.items() if _ups(now))
        made = sorted(s for s, (then, now) in down.items() if {i for i, _ in then} != {i for i, _ in now})
        if self._compose is None or not (started or made):
            return
        if started:
            self._compose.stop(stack, started)
        if made:
            self._compose.create(stack, made)
        names = ", ".join(sorted({*started, *made}))
        seen.append(Evidence(f"{names} of {stack} does not run, as before", ok=True))

    def _thaw(self, stack: str, services: Mapping[str, tuple[list[list[str]], list[list[str]]]]) -> None:
        """What was paused meanwhile goes on, and what was paused before is paused again."""
        if self._compose is None:
            return
        frozen = {s: (_paused(then), _paused(now)) for s, (then, now) in services.items()}
        if freed := sorted(s for s, (then, now) in frozen.items() if now and not then):
            self._compose.unpause(stack, freed)
        again = sorted(s for s, (then, now) in frozen.items() if then and not now and _ups(services[s][1]))
        if again:
            self._compose.pause(stack, again)

    def _settled(self, stack: str, services: set[str], *, healthy: bool = False) -> bool:
        """Wait until these run and, with ``healthy``, none is starting any more."""
        deadline = self._clock.monotonic() + (_HEALTH if healthy else _SETTLE)
        while self._engine is not None:
            seen = [c for c in self._engine.containers(stack) if c.state == "running"]
            if services <= {c.service for c in seen if not (healthy and c.health == "starting")}:
                return True
            if self._clock.monotonic() >= deadline:
                return False
            self._clock.sleep(_POLL)
        return False

    def _remove_networks(self, networks: Iterable[str], seen: list[Evidence]) -> None:
        if self._engine is None:
            return
        for name in sorted(set(networks) & self._engine.networks()):
            try:
                self._engine.remove_network(name)
            except EngineFailed as error:
                # Something outside this plan uses it by now; an unused name too many hurts nobody.
                seen.append(Evidence(f"network {name} is kept", ok=True, detail=_words(error)))

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
                    seen.append(Evidence(text, ok=False, detail=_words(error)))
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
                seen.append(Evidence(f"not put back{f' ({what})' if what else ''}", ok=False, detail=_words(error)))
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
            seen.append(Evidence(f"not put back{f' ({what})' if what else ''}", ok=False, detail=_words(error)))


def _by_service(containers: Iterable[ContainerState]) -> dict[str, list[list[str]]]:
    found: dict[str, list[list[str]]] = {}
    for one in containers:
        found.setdefault(f"{one.stack}/{one.service}", []).append([one.id, one.state])
    return {key: sorted(rows) for key, rows in found.items()}


def _of(stack: str, key: str) -> bool:
    return key.partition("/")[0] == stack


def _ups(rows: list[list[str]]) -> set[str]:
    """The ids of the containers that are up."""
    return {i for i, state in rows if state in _UP}


def _paused(rows: list[list[str]]) -> bool:
    return any(state == "paused" for _, state in rows)


def _words(error: Exception) -> str:
    if isinstance(error, HomelabError):
        output = str(error.details.get("output", ""))
        return f"{error.message} {output}".strip()[:2000]
    return f"{type(error).__name__}: {error}"[:500]
