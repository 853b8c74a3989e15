"""Turns a draft into a stored plan: lint, Compose's judgement, risk, fingerprint."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from homelab_mcp.core import fingerprint, plan_codec
from homelab_mcp.core.data_at_stake import data_at_stake
from homelab_mcp.core.diff import secrets_of
from homelab_mcp.core.exposure import what_opens
from homelab_mcp.core.operations.data_holders import refuse_held
from homelab_mcp.core.operations.stack_paths import Root
from homelab_mcp.core.plan_completion import completed
from homelab_mcp.core.policy import DEFAULT_POLICY, Policy
from homelab_mcp.core.redact import clean, safe
from homelab_mcp.core.shadowed import told_of_others
from homelab_mcp.core.stack_host import host_of
from homelab_mcp.core.stack_owner import parted
from homelab_mcp.core.stack_texts import refuse_half_a_stack
from homelab_mcp.model.errors import EngineFailed, EngineUnavailable, InvalidInput, PlanRefused
from homelab_mcp.model.finding import Finding, Severity
from homelab_mcp.model.lab import HOSTS_FILE, LOCAL, SETTINGS_FILE, SHARED_ENV
from homelab_mcp.model.observed import Snapshot, StackFiles
from homelab_mcp.model.plan import Draft, Plan, PlanState, Requester, Risk, RiskReason
from homelab_mcp.ports import Clock, Compose, Engine, Files, Journal, PlanStore
from homelab_mcp.queries.find import stacks_with
from homelab_mcp.queries.lab_stacks import files_of_stack
from homelab_mcp.workflow.judging import Judged, errors_of, files_of, is_way_back, judged, refusing
from homelab_mcp.workflow.judging import Lint as Lint
from homelab_mcp.workflow.open_applies import refuse_on_failed
from homelab_mcp.workflow.plan_checks import (
    check_no_known_secret,
    check_no_marked_secret,
    check_no_secret_in_public,
    check_not_the_guard,
    check_still_as_read,
)
from homelab_mcp.workflow.plan_facts import own_text
from homelab_mcp.workflow.stack_engine import StackEngine


class Planner:
    """Makes plans. ``engine`` and ``compose`` are None in files-only mode; ``root``: the lab's names on its machine."""

    def __init__(
        self,
        *,
        files: Files,
        plans: PlanStore,
        journal: Journal,
        clock: Clock,
        engine: Engine | None,
        compose: Compose | None,
        policy: Policy = DEFAULT_POLICY,
        secret_line: Callable[[str, str, str], int] | None = None,
        root: Root = "",
    ) -> None:
        self._files = files
        self._plans = plans
        self._journal = journal
        self._clock = clock
        self._engine = StackEngine(engine, files) if engine is not None else None
        self._compose = compose
        self._secret_line = secret_line
        self._policy = policy
        self._root = root

    def snapshot(self, *, containers: bool) -> Snapshot:
        """Read the lab once. An engine that does not answer leaves ``containers`` None and says why."""
        files = files_of(self._files)
        if not containers or self._engine is None:
            return files
        try:
            found = self._engine.containers(besides=True)
        except (EngineUnavailable, EngineFailed) as error:
            return replace(files, engine_error=error.message)
        mine, others = parted(found)
        return replace(files, containers=mine, silent=self._engine.silent(), besides=others)

    def make(self, draft: Draft, snapshot: Snapshot, requester: Requester, lint: Lint) -> Plan:
        """A stored plan of this draft.

        The plan has the findings that the draft brings in: errors among them refuse it. Those that the lab had before
        are counted in a note.

        Raises:
            InvalidInput: nothing_to_do, lint_refused (details["findings"]), compose_refused, secret_in_public_file,
                more_files, override_wins, data_in_use.
            PlanRefused: plan_stale, when a file changed since the snapshot; rollback_unsettled.
            JournalUnwritable: no plan without a journal.
        """
        draft = replace(draft, edits=tuple(e for e in draft.edits if e.before != e.after))
        after = stacks_with(self._files, snapshot.stacks, draft.edits)
        draft = completed(draft, snapshot, after)
        refuse_held(draft, snapshot, root=self._root)
        if not (draft.edits or draft.actions or draft.adopts or draft.moves or draft.owners or draft.drops):
            raise InvalidInput(
                "Nothing would change.", code="nothing_to_do", hint="The lab already is as asked; no plan is needed."
            )
        check_not_the_guard(draft)
        refuse_on_failed(draft, self._journal.recent(), self._plans)
        refuse_half_a_stack(snapshot.stacks, draft.edits)
        self._check_room()
        # Before the judging, which takes a second: what is judged and what the plan holds to must be the same files.
        draft = told_of_others(draft, snapshot.stacks, after)
        draft = _with_what_follows(draft, snapshot, after)
        observed = self._watched(draft, snapshot.stacks, after)
        check_still_as_read(draft, snapshot, observed)
        check_no_secret_in_public(draft)
        if not own_text(draft):
            check_no_marked_secret(draft)
            if self._secret_line is not None:
                check_no_known_secret(draft, self._secret_line)
        found = judged(draft, snapshot.stacks, after, lint)
        draft = _judge(draft, errors_of(found.brought, requester), (*snapshot.stacks, *after))
        draft = _told_of_old(_told_again(draft, found.told_again), found)
        draft = self._ask_compose(draft, after)
        if snapshot.engine_error and draft.actions:
            note = "Docker did not answer, so this plan was made without seeing the containers."
            draft = replace(draft, notes=(*draft.notes, note))
        plan = self._seal(draft, snapshot, requester, found.told, observed)
        self._journal.append(
            "plan_made",
            {
                "plan": plan.id,
                "digest": plan.digest,
                "summary": plan.draft.summary,
                "risk": plan.risk.word,
                "paths": [e.path for e in (*plan.draft.edits, *plan.draft.adopts)],
                "asked_by": requester.described,
            },
        )
        self._plans.add(plan)
        return plan

    def _seal(
        self,
        draft: Draft,
        snapshot: Snapshot,
        requester: Requester,
        findings: Sequence[Finding],
        observed: Mapping[str, str | None],
    ) -> Plan:
        risk, reasons = self._policy.assess(draft, requester)
        # A dialog and a terminal show these line by line: nobody's text may look like a line of its own.
        draft = replace(draft, summary=_one_line(draft.summary), target=_one_line(draft.target))
        now = self._clock.now()
        return plan_codec.seal(
            Plan(
                id=secrets.token_hex(16),
                draft=draft,
                risk=risk,
                reasons=tuple(_one_line(r) for r in reasons),
                findings=tuple(findings),
                fingerprint={
                    **fingerprint.build(observed, fingerprint.watched_services(draft), snapshot.containers),
                    fingerprint.LAB: fingerprint.of_lab(snapshot),
                },
                asked_by=requester,
                created=now,
                expires=now + self._policy.plan_life,
            )
        )

    def _watched(
        self, draft: Draft, before: Sequence[StackFiles], after: Sequence[StackFiles]
    ) -> dict[str, str | None]:
        """The files that the plan holds to, as they are: those it writes, and all that Compose reads for its stacks."""
        paths = fingerprint.watched_files(draft, {s.name: s.compose_path for s in before})
        found = {path: self._files.read(path) for path in paths}
        touched = set(fingerprint.read_stacks(draft))
        changed = {e.path: e.after for e in draft.edits}
        for stacks, edits in ((before, {}), (after, changed)):
            for stack in (s for s in stacks if s.name in touched):
                found = {**files_of_stack(self._files, stack, edits), **found}
        if any(host_of(s.compose_text) != LOCAL for s in (*before, *after) if s.name in touched):
            found[HOSTS_FILE] = self._files.read(HOSTS_FILE)
        return found

    def _check_room(self) -> None:
        """Refuse a flood: a person cannot judge plans by the hundred."""
        limit = self._policy.settings.open_plans
        now = self._clock.now()
        waiting = [
            plan.id
            for plan, status in self._plans.list(limit * 4, since=now - self._policy.plan_life, outline=True)
            if status.state is PlanState.PENDING and now < plan.expires
        ]
        if len(waiting) >= limit:
            raise PlanRefused(
                f"{len(waiting)} plans wait for an answer already.",
                code="too_many_plans",
                hint="Let the person approve or decline some (`homelab-mcp plan`), or wait until they expire.",
            )

    def _ask_compose(self, draft: Draft, after: Sequence[StackFiles]) -> Draft:
        """Let Compose itself judge each stack whose files change; without Compose the plan says so."""
        if self._compose is None:
            return draft
        changed = (*draft.edits, *draft.adopts)
        edited = {e.path.split("/", 1)[0] for e in changed if "/" in e.path}
        paths = {e.path for e in changed}
        known = (*draft.secrets, *secrets_of(changed))
        for stack in after:
            named = [(path, text) for path, text in stack.named if path in paths]
            if stack.name not in edited and not named:
                continue
            try:
                self._compose.check_text(stack.name, stack.compose_text, stack.env_text, stack.others, named)
            except EngineFailed as error:
                said = safe(str(error.details.get("output") or error.message), known)
                raise InvalidInput(
                    f"Docker Compose refuses stack {stack.name} as it would be: {said}",
                    code="compose_refused",
                    hint="Change the request so that Compose takes it.",
                ) from error
            except EngineUnavailable:
                return replace(draft, notes=(*draft.notes, "Docker Compose was not there to judge the files."))
        return draft


def _with_what_follows(draft: Draft, snapshot: Snapshot, after: Sequence[StackFiles]) -> Draft:
    """The draft with what it opens and what it puts at stake, whichever operation made it.

    Only the stacks that it is about are read. A roll-back tells of data by itself.
    """
    texts = {e.path: e.after or "" for e in draft.edits}
    mine = set(fingerprint.touched_stacks(draft))
    if SHARED_ENV in texts:
        mine |= {s.name for s in snapshot.stacks}
    before = replace(snapshot, stacks=tuple(s for s in snapshot.stacks if s.name in mine))
    then = replace(
        snapshot,
        stacks=tuple(s for s in after if s.name in mine),
        settings_text=texts.get(SETTINGS_FILE, snapshot.settings_text),
        shared_env=texts.get(SHARED_ENV, snapshot.shared_env),
    )
    stake = data_at_stake(before, then) if draft.edits and not own_text(draft) else ()
    return replace(
        draft,
        risks=(*draft.risks, *what_opens(draft, before, then)),
        notes=tuple(dict.fromkeys((*draft.notes, *stake))),
    )


def _one_line(text: str) -> str:
    return " ".join(clean(text).split())


def _judge(draft: Draft, errors: Sequence[Finding], stacks: Sequence[StackFiles]) -> Draft:
    """The draft, when it brings in no error of its own; those in what a person made already are a risk."""
    if not errors:
        return draft
    ours = refusing(draft, errors, stacks)
    if not ours:
        does, which = (
            ("Brings back", "come with those files") if is_way_back(draft) else ("Adopts", "are in the files already")
        )
        told = f"{does} {len(errors)} error(s) that {which}: {errors[0].as_line()}"
        return replace(draft, risks=(RiskReason(Risk.HIGH, told), *draft.risks))
    raise InvalidInput(
        f"The lab would get {len(ours)} error(s): {ours[0].as_line()}",
        code="lint_refused",
        hint="Change the request so that no error is left.",
        details={"findings": [f.as_dict() for f in ours[:20]]},
    )


def _told_again(draft: Draft, errors: Sequence[Finding]) -> Draft:
    """The draft, with what can be seen of other files once all of the lab can be read."""
    if not errors:
        return draft
    told = f"Shows {len(errors)} error(s) that other files had all along, as all can be read now: {errors[0].as_line()}"
    return replace(draft, risks=(*draft.risks, RiskReason(Risk.LOW, told)))


def _told_of_old(draft: Draft, found: Judged) -> Draft:
    """The draft, with how much is wrong in the lab that is not of its making."""
    left = Counter(f.severity for f in found.findings) - Counter(f.severity for f in found.told)
    counts = [
        f"{left[severity]} {severity}{'s' if left[severity] > 1 else ''}"
        for severity in (Severity.ERROR, Severity.WARNING)
        if left[severity]
    ]
    if not counts:
        return draft
    note = f"The lab has {' and '.join(counts)} that this plan does not bring in: homelab-mcp validate."
    return replace(draft, notes=(*draft.notes, note))
