"""One apply at work: the steps in their order, and the way back when one of them fails."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from homelab_mcp.core.inventory import PAGE
from homelab_mcp.model.errors import InvalidInput, JournalUnwritable, PlanRefused
from homelab_mcp.model.plan import (
    ActionKind,
    EngineAction,
    Evidence,
    FileEdit,
    Plan,
    PlanState,
    PlanStatus,
    Verification,
)
from homelab_mcp.queries.find import text_as_one
from homelab_mcp.workflow import (
    backup_steps,
    cert_steps,
    data_carriers,
    data_steps,
    node_steps,
    standby_steps,
    trial_steps,
)
from homelab_mcp.workflow.apply_ends import NotVerified, Stopped, told
from homelab_mcp.workflow.approvals import UNKNOWN
from homelab_mcp.workflow.engine_steps import clear_away, control, load
from homelab_mcp.workflow.node_steps import NODES
from homelab_mcp.workflow.plan_facts import (
    TELLING,
    commit_message,
    halves,
    known_secrets,
    masked,
    own_text,
    public_paths,
)
from homelab_mcp.workflow.stack_engine import take_away
from homelab_mcp.workflow.standby_steps import STANDBY
from homelab_mcp.workflow.stop_signals import noted
from homelab_mcp.workflow.swarm_watch import forms_of
from homelab_mcp.workflow.undo_record import Before, Undone

if TYPE_CHECKING:
    from homelab_mcp.workflow.applier import Applier

Progress = Callable[[PlanStatus], None]
_FIRST = (ActionKind.CREATE_NETWORK, ActionKind.REMOVE)
_BRIEF = (ActionKind.CREATE_NETWORK, ActionKind.PULL, ActionKind.BACKUP)
"""What stops and starts no container, so that Docker has nothing to end when it fails."""
_LAST = (
    ActionKind.UP,
    ActionKind.LOAD,
    ActionKind.RESTART,
    ActionKind.UNPAUSE,
    ActionKind.START,
    ActionKind.STOP,
    ActionKind.PAUSE,
    ActionKind.RECREATE,
    ActionKind.TRIAL,
    ActionKind.BACKUP,
    *NODES,
    *STANDBY,
    ActionKind.CALL,
)


class Transaction:
    """The apply of one plan whose begin is in the journal."""

    def __init__(self, parts: Applier, plan: Plan, before: Before, progress: Progress | None) -> None:
        self._parts = parts
        self._plan = plan
        self._before = before
        self._progress = progress
        self._stop = self._acting = False
        self._commit = ""
        self._tried: tuple[Evidence, ...] = ()
        self._owners: tuple[Evidence, ...] = ()
        self._secrets = known_secrets(plan, parts.files)
        self._verifications = plan.draft.verifications
        self._restarted: set[tuple[str, str]] = set()

    def run(self) -> PlanStatus:
        """Do every step, or put everything back; the final status, which is also on disk."""
        with noted(self._note_stop):
            try:
                evidence = self._steps()
            except Exception as error:  # noqa: BLE001 - whatever went wrong, the lab is put back and the error told
                return self._roll_back(error)
            return self._done(evidence)

    def _steps(self) -> tuple[Evidence, ...]:
        draft = self._plan.draft
        # A repository that cannot be used is found out before anything is touched.
        self._parts.history.held()
        if self._parts.verifier is not None:
            self._verifications = self._parts.verifier.serving(self._verifications)
        # Compose removes only what its file still names, so removals come before the files change; and what moves
        # data on another host is there until it has.
        kept = data_carriers.carriers(self._parts.files, self._plan)
        self._all(_FIRST, data_carriers.without(draft.actions, kept))
        data_steps.carry_out(self._parts.data, self._plan, self._before.moves, self._step)
        self._all(_FIRST, data_carriers.removals_of(draft.actions, kept))
        self._drop_certificates()
        self._step("writing files")
        self._write()
        # And it pulls what its file names by then; nothing that stays has been stopped yet.
        self._all((ActionKind.PULL,))
        evidence = self._start()
        # Git gets only what held, so no commit has to be taken back; until then the undo record alone is needed.
        self._step("committing")
        found, left_out = self._as_found()
        evidence = masked((*self._owners, *evidence, *left_out), self._secrets)
        # The texts that were verified: what a person edits meanwhile is theirs to commit.
        mine = public_paths(self._plan)
        texts = {e.path: (e.after, self._mode(e)) for e in (*draft.edits, *draft.adopts) if e.path in mine}
        message = commit_message(self._plan, self._parts.plans.approval(self._plan.id), evidence)
        if page := self._parts.refresh():
            mine, texts[PAGE], found[PAGE] = [*mine, PAGE], (page.after, 0o644), (page.before, 0o644)
        as_found = f"As found before: {draft.summary}\n\nPlan: {self._plan.id}\n"
        self._commit = self._parts.history.commit(
            mine,
            message,
            texts=texts,
            first=(found, as_found),
            allow_empty=True,
            refuse_secrets=not own_text(draft),
        )
        return (*evidence, *(Evidence(told, ok=True) for told in self._parts.history.withheld()))

    def _start(self) -> tuple[Evidence, ...]:
        """Start what is to run, and look at it.

        What restarts only to read a file that follows from the rest (the log-in its rules) does so once the rest is
        seen to run: a service that fails at once is taken back before anybody else has noticed.
        """
        late = [a for a in self._plan.draft.actions if a.kind is ActionKind.RESTART]
        ups = [a for a in self._plan.draft.actions if a.kind in _LAST and a not in late]
        if not (late and ups):
            self._all(_LAST)
            self._step("verifying")
            return self._verify(self._verifications)
        again = {(a.stack, s) for a in late for s in a.services}
        first, then = halves(self._verifications, again)
        self._all([kind for kind in _LAST if kind is not ActionKind.RESTART])
        self._step("verifying")
        evidence = self._verify(first) if first else ()
        self._all([ActionKind.RESTART])
        self._step("verifying")
        return (*evidence, *self._verify(then))

    def _drop_certificates(self) -> None:
        parts, plan = self._parts, self._plan
        self._acting = True
        cert_steps.carry_out(parts.files, parts.compose, plan, lambda: parts.plans.load_undo(plan.id), self._step)
        self._acting = False

    def _all(self, kinds: Sequence[ActionKind], actions: Sequence[EngineAction] | None = None) -> None:
        """Every action of these kinds, in the plan's order; of all that the plan has where none are given."""
        for action in self._plan.draft.actions if actions is None else actions:
            if action.kind in kinds:
                what = action.name or ", ".join(action.services) or action.stack
                self._step(f"{str(action.kind).replace('_', ' ')} {what}")
                self._acting = action.kind not in _BRIEF
                self._act(action)
                self._acting = False

    def _as_found(self) -> tuple[dict[str, tuple[str | None, int]], list[Evidence]]:
        """What the files that were written held before, for a commit of its own: a person's edits are lost in none.

        A text with a secret in it stays out of git (the evidence says so): the plan's undo record holds it.
        """
        mine = {e.path for e in self._plan.draft.edits} & set(public_paths(self._plan))
        undo = self._parts.plans.load_undo(self._plan.id)
        found = {p: state for p, state in undo.items() if p in mine and state[0] is not None}
        telling = [v for v in self._secrets if len(v) >= TELLING]
        bare = [p for p, (text, _) in found.items() if any(v in (text or "") for v in telling)]
        if not bare:
            return found, []
        said = f"{', '.join(bare)} held a secret before, so that text is not in git but in the plan's undo record"
        return {p: state for p, state in found.items() if p not in bare}, [Evidence(said, ok=True)]

    def _mode(self, edit: FileEdit) -> int:
        mode = self._parts.files.mode(edit.path)
        return edit.mode if mode is None else mode

    def _write(self) -> None:
        files = self._parts.files
        for edit in self._plan.draft.edits:
            self._pause()
            if files.read(edit.path) != edit.before:
                # Since the apply began: removing a container can take ten seconds, and a person an instant.
                raise PlanRefused(f"{edit.path} was changed while the apply was at work.", code="plan_stale")
            if edit.after is None:
                files.remove(edit.path)
                continue
            files.write_atomic(edit.path, edit.after, 0o600 if edit.secret else edit.mode)
            if files.read(edit.path) != edit.after:
                raise InvalidInput(f"{edit.path} does not hold what was written.", code="write_not_held")
        self._owners = data_steps.make_folders(files, self._parts.data, self._plan)

    def _act(self, action: EngineAction) -> None:
        engine, compose = self._parts.engine, self._parts.compose
        if engine is None or compose is None:
            raise InvalidInput("An engine action needs Docker.", code="plan_needs_docker")
        match action.kind:
            case ActionKind.CREATE_NETWORK:
                if action.name in self._before.networks:
                    engine.create_network(action.name)
            case ActionKind.PULL:
                compose.pull(action.stack, action.services)
            case ActionKind.UP:
                compose.up(action.stack, action.services)
            case ActionKind.REMOVE:
                take_away(engine, compose, action.stack, action.services)
            case ActionKind.RECREATE:
                compose.recreate(action.stack, action.services)
            case ActionKind.TRIAL | ActionKind.BACKUP:
                self._try(action)
            case ActionKind.LOAD:
                load(self._parts.restic, action)
            case _ if action.kind in (*NODES, *STANDBY):
                self._elsewhere(action)
            case _:
                if action.kind is ActionKind.RESTART:
                    self._restarted |= {(action.stack, s) for s in action.services}
                control(compose, action)

    def _try(self, action: EngineAction) -> None:
        """What tells by itself how it did."""
        if action.kind is ActionKind.BACKUP:
            every = [a for a in self._plan.draft.actions if a.kind is ActionKind.BACKUP]
            # The first of them makes all, at the same time.
            if action is every[0]:
                self._tried = backup_steps.carry_out(self._parts.restic, every, self._step)
        else:
            self._tried = trial_steps.carry_out(self._parts.trials, self._plan, self._step)

    def _elsewhere(self, action: EngineAction) -> None:
        if action.kind in NODES:
            node_steps.carry_out(self._parts.swarm, action)
        else:
            self._tried = standby_steps.carry_out(self._parts.standby, action)

    def _verify(self, parts: Sequence[Verification]) -> tuple[Evidence, ...]:
        verifier = self._parts.verifier
        if verifier is None or not parts:
            return self._tried or (Evidence("files written; there was nothing more to verify", ok=True),)
        paths = dict(self._parts.files.stack_folders())
        evidence = self._tried
        for what in parts:
            text = self._parts.files.read(paths[what.stack]) if what.stack in paths else None
            acts = [a for a in self._plan.draft.actions if a.kind is ActionKind.UNPAUSE and a.stack == what.stack]
            seen = verifier.verify(
                what,
                # What a health check may take, and which services end, stands in any of the stack's files.
                compose_text=text_as_one(self._parts.files, what.stack) if text else "",
                secrets=self._secrets,
                pause=self._pause,
                tell=self._found_bad,
                thawed=[s for a in acts for s in a.services],
                forms=forms_of(self._parts.compose, self._plan, what.stack, text or ""),
            )
            evidence = (*evidence, *seen)
            if not all(e.ok for e in seen):
                raise NotVerified(evidence)
        return evidence

    def _found_bad(self, what: str) -> None:
        seen = masked((Evidence(what, ok=False),), self._secrets)
        self._tell(PlanStatus(PlanState.APPLYING, "does not hold", seen, self._commit))

    def _done(self, evidence: tuple[Evidence, ...]) -> PlanStatus:
        evidence = masked(evidence, self._secrets)
        # Recovery reads this step: from here on the apply stands, whatever becomes of the journal.
        self._tell(PlanStatus(PlanState.APPLYING, "verified", evidence, self._commit))
        # Nothing brings these back, so they go only once nothing can fail any more.
        evidence = (*evidence, *masked(clear_away(self._parts.engine, self._plan.draft.actions), self._secrets))
        error = code = ""
        try:
            self._parts.journal.append("apply_done", self._record(evidence))
        except JournalUnwritable as problem:
            error, code = problem.as_text(), problem.code
        return self._tell(PlanStatus(PlanState.DONE, "", evidence, self._commit, error, code))

    def _roll_back(self, error: Exception) -> PlanStatus:
        text, code, seen = told(error, self._secrets)
        # A folder that is not its service's may be why.
        seen = (*masked([e for e in self._owners if e.detail], self._secrets), *seen)
        self._tell(PlanStatus(PlanState.APPLYING, "rolling back", seen, self._commit, text, code))
        try:
            undone = self._parts.undo.put_back(self._plan, self._before, self._restarted, cut_short=self._acting)
        except Exception as problem:  # noqa: BLE001 - one attempt, then a clear state for a person
            undone = Undone(
                (Evidence("the roll-back itself failed", ok=False, detail=told(problem, self._secrets)[0]),)
            )
        evidence = masked((*seen, *undone.evidence), self._secrets)
        if undone.unknown:
            return self._unknown(evidence, text)
        state = PlanState.ROLLED_BACK if undone.ok else PlanState.FAILED
        event = "rolled_back" if undone.ok else "rollback_failed"
        severity = {} if undone.ok else {"severity": "CRITICAL"}
        try:
            self._parts.journal.append(event, {**self._record(evidence), "error": text, "code": code, **severity})
        except JournalUnwritable as problem:
            text = f"{text} {problem.message}"
        return self._tell(PlanStatus(state, "", evidence, undone.commit or self._commit, text, code))

    def _unknown(self, evidence: tuple[Evidence, ...], text: str) -> PlanStatus:
        """Docker stayed away, so nobody can tell how containers stand: the apply stays open for a recovery to end."""
        record = {**self._record(evidence), "error": text, "code": UNKNOWN, "severity": "CRITICAL"}
        with suppress(JournalUnwritable):
            self._parts.journal.append(UNKNOWN, record)
        return self._tell(PlanStatus(PlanState.APPLYING, "outcome unknown", evidence, self._commit, text, UNKNOWN))

    def _record(self, evidence: Sequence[Evidence]) -> dict[str, object]:
        seen = [{"what": e.what, "ok": e.ok, "detail": e.detail} for e in evidence]
        return {"plan": self._plan.id, "commit": self._commit, "evidence": seen}

    def _step(self, what: str) -> None:
        self._pause()
        self._report(PlanStatus(PlanState.APPLYING, what, (), self._commit))

    def _tell(self, status: PlanStatus) -> PlanStatus:
        """As ``_report``; a disk that takes no status keeps nobody from going on to the end."""
        try:
            return self._report(status)
        except OSError:
            return status

    def _report(self, status: PlanStatus) -> PlanStatus:
        status = replace(status, updated=self._parts.clock.now())
        self._parts.plans.set_status(self._plan.id, status)
        if self._progress is not None:
            self._progress(status)
        return status

    def _pause(self) -> None:
        if self._stop:
            raise Stopped

    def _note_stop(self) -> None:
        self._stop = True
