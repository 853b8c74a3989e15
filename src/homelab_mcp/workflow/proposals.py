"""From a request to a stored plan: snapshot, operation, plan. What the MCP tools and the command line share."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from homelab_mcp.core.misfit import misfits, what_fits
from homelab_mcp.core.operations.request import (
    AddServiceRequest,
    FixRequest,
    ServiceOptions,
    SetEnvRequest,
)
from homelab_mcp.core.redact import clean
from homelab_mcp.core.swarm.handover import handed_over
from homelab_mcp.core.unsearched import unsearched
from homelab_mcp.model.errors import InvalidInput, NotFound
from homelab_mcp.model.finding import Finding
from homelab_mcp.model.lab import TRASH
from homelab_mcp.model.observed import Snapshot, StackFiles
from homelab_mcp.model.plan import Draft, FileEdit, Plan, Requester, Verification
from homelab_mcp.ports import Lab
from homelab_mcp.queries.find import stacks_with
from homelab_mcp.queries.machine import host_of
from homelab_mcp.queries.storage import with_storage_notes
from homelab_mcp.workflow.assembly import planner
from homelab_mcp.workflow.backup_ends import with_ended_backups
from homelab_mcp.workflow.derive import keeping_routes, with_derived
from homelab_mcp.workflow.judging import Known
from homelab_mcp.workflow.on_hosts import place_of, settled
from homelab_mcp.workflow.origin import with_origin
from homelab_mcp.workflow.planner import Lint
from homelab_mcp.workflow.values import GeneratedValue as GeneratedValue
from homelab_mcp.workflow.values import env_changes as env_changes
from homelab_mcp.workflow.values import with_values as with_values

M = TypeVar("M", bound=BaseModel)


def request_of(kind: type[M], **values: Any) -> M:
    """A request from what a person or a model gave; unset values are left out.

    Raises:
        InvalidInput: which field does not fit and why; given values are not repeated.
    """
    try:
        return kind(**{k: v for k, v in values.items() if v not in (None, "", {})})
    except ValidationError as error:
        # A key that was given may be among the places, of any length and with line ends in it.
        wrong = " ".join(clean(misfits(error)).split())[:1000]
        raise InvalidInput(f"This does not fit: {wrong}.", hint=what_fits(error), code="invalid_input") from None


def propose_add_service(
    lab: Lab, service: str, stack: str, options: dict[str, Any], requester: Requester, *, host: str = ""
) -> Plan:
    """A plan that adds a catalog service; ``host`` is for a new stack. Raises InvalidInput, NotFound, EditRefused."""
    from homelab_mcp.core.operations.add_service import add_service

    chosen = request_of(ServiceOptions, **options)
    request = request_of(AddServiceRequest, service=service, stack=stack, options=chosen, host=host)
    catalog = lab.catalog
    snapshot = planner(lab).snapshot(containers=not lab.files_only)
    place, address = place_of(lab, snapshot, request.stack or catalog.get(request.service).stack, request.host)
    draft = add_service(
        snapshot,
        lab.settings,
        request,
        find=catalog.get,
        secrets=lab.secrets.make,
        argon2=lab.secrets.argon2,
        root=lab.root,
        read=lab.files.read,
        host=host_of(lab, place),
        address=address,
    )
    if request.options.lazy:
        from homelab_mcp.workflow.propose_lazy import asleep_too

        draft = asleep_too(lab, draft, snapshot)
    draft = with_origin(lab, catalog.get(request.service), with_storage_notes(lab, draft))
    return plan_of(lab, with_values(draft, options.get("variables") or {}, requester), snapshot, requester)


def propose_set_env(lab: Lab, stack: str, values: dict[str, str | None], requester: Requester) -> Plan:
    """A plan that sets (or, with None, unsets) variables of a stack. Raises InvalidInput, NotFound."""
    from homelab_mcp.core.operations.set_env import set_env

    request = request_of(SetEnvRequest, stack=stack, values=values)
    if requester.via == "mcp":
        _refuse_unknown_stack(lab, stack)
    snapshot = planner(lab).snapshot(containers=not lab.files_only)
    draft = set_env(snapshot, request, find=lab.catalog.get, read=lab.files.read)
    return plan_of(lab, with_values(draft, values, requester), snapshot, requester)


def propose_rollback(lab: Lab, plan_id: str, requester: Requester, *, to: str = "", stack: str = "") -> Plan:
    """A plan that takes one earlier apply back, or all since: the lab as right ``before`` or ``after`` that apply.

    Args:
        lab: the lab.
        plan_id: the earlier apply.
        requester: who asks.
        to: "" takes back that apply alone; before or after take back every apply from there on.
        stack: with ``to``, only this stack's files.

    Raises NotFound, InvalidInput.
    """
    from homelab_mcp.core.operations.data_holders import standing_still
    from homelab_mcp.core.operations.rollback import rollback
    from homelab_mcp.core.operations.rollback_to import Step, rollback_to
    from homelab_mcp.queries.history import applied, unrecorded
    from homelab_mcp.workflow.lazy_server import refuse_plugin_gone

    if to not in ("", "before", "after"):
        raise InvalidInput(f"{to!r} is not a point in time.", hint="Use before, after, or nothing.")
    plan = lab.plans.get(plan_id)
    snapshot = planner(lab).snapshot(containers=not lab.files_only)
    done = applied(lab)
    place = next((n for n, p in enumerate(done) if p.id == plan_id), None)
    if place is None:
        raise InvalidInput(
            "That plan was never applied to its end, so there is nothing to take back.",
            code="not_applied",
            hint="See the history for what was.",
        )
    later = done[place + 1 :]

    def there(path: str) -> bool:
        return lab.placed_data.identity(path) is not None

    now = datetime.fromtimestamp(lab.clock.now(), UTC)
    trash = f"{TRASH}/{now:%Y%m%d-%H%M%S}-rollback-{plan_id[:6]}"
    if not to and plan.draft.call is not None:
        from homelab_mcp.workflow.propose_api import propose_call_back

        return propose_call_back(lab, plan, requester)
    if not to:
        draft = rollback(
            plan,
            lab.plans.load_undo(plan_id),
            read=lab.files.read,
            stacks=snapshot.stacks,
            later=later,
            exists=there,
            trash=trash,
            host_of=lab.placed_data.host,
        )
        draft = standing_still(draft, snapshot, [plan], root=lab.roots, later=later)
        refuse_plugin_gone(snapshot, draft)
        return plan_of(lab, draft, snapshot, requester)
    steps = [Step(p, lab.plans.load_undo(p.id)) for p in (later if to == "after" else [plan, *later])]
    commit = lab.plans.status(plan_id).commit
    paths = {e.path for s in steps for e in (*s.plan.draft.edits, *s.plan.draft.adopts)}
    gone = unrecorded(lab, commit) if to == "after" and commit else {}
    then = lab.history.committed(sorted({*paths, *gone}), commit) if to == "after" and commit else {}
    point = f"right {to}: {plan.draft.summary}"
    draft = rollback_to(
        steps,
        then=then,
        gone=gone,
        read=lab.files.read,
        point=point,
        stacks=snapshot.stacks,
        stack=stack,
        exists=there,
        trash=trash,
        host_of=lab.placed_data.host,
    )
    if calls := [s.plan.draft.summary for s in steps if s.plan.draft.call is not None]:
        told = f"Not taken back, as each call of a service's API is taken back by itself: {'; '.join(calls[:5])}."
        draft = replace(draft, notes=(*draft.notes, told))
    draft = standing_still(draft, snapshot, [s.plan for s in steps], root=lab.roots)
    refuse_plugin_gone(snapshot, draft)
    return plan_of(lab, draft, snapshot, requester)


def propose_fix(lab: Lab, stack: str, rules: Sequence[str], requester: Requester, *, unsafe: bool = False) -> Plan:
    """A plan with the linter's fixes. Raises NotFound, InvalidInput (``nothing_to_do`` where there is none).

    Of a lab that is seen through one host its stacks alone are fixed.
    """
    from homelab_mcp.core.operations.fix import fix
    from homelab_mcp.queries.lab_facts import lab_facts, lint_settings
    from homelab_mcp.queries.lab_stacks import lint_stacks

    request = request_of(FixRequest, stack=stack, rules=tuple(r.upper() for r in rules) or None, unsafe=unsafe)
    host, only = lab.seen, [path for _, path in lab.files.stack_folders()] if lab.seen else None
    lab = lab.whole
    snapshot = planner(lab).snapshot(containers=not lab.files_only)
    draft = fix(
        snapshot,
        request,
        stacks=lint_stacks(lab.files, snapshot.stacks),
        settings=lint_settings(lab),
        facts=lab_facts(lab),
        only=only,
        place=f"on host {host}" if host else "",
    )
    return plan_of(lab, draft, snapshot, requester)


def propose_resolve_drift(lab: Lab, stack: str, how: str, requester: Requester) -> Plan:
    """A plan that commits what was changed by hand in a stack (``adopt``) or takes it back (``undo``).

    ``stack`` "." stands for the lab's own files. Raises NotFound, InvalidInput.
    """
    from homelab_mcp.core.operations.adopt import adopt, discard
    from homelab_mcp.queries.review import review

    if how not in ("adopt", "undo"):
        raise InvalidInput(f"{how!r} is neither adopt nor undo.", hint="Use adopt or undo.")
    if not stack:
        raise InvalidInput("No stack was named.", hint="Name one, or . for the lab's own files.")
    snapshot = planner(lab).snapshot(containers=not lab.files_only)
    found = review(lab, stack)
    then = stacks_with(lab.files, snapshot.stacks, [c.undone for c in found.files if c.known])
    if how == "adopt":
        draft = adopt(snapshot, stack, found.files, found.containers, committed=then)
    else:
        draft = discard(snapshot, stack, found.files, found.containers, read=lab.files.read, committed=then)
    draft = replace(draft, notes=(*draft.notes, *(n for n in found.notes if not n.startswith("Files only"))))
    return plan_of(lab, replace(draft, secrets=(*draft.secrets, *found.secrets)), snapshot, requester)


def lint_of(lab: Lab) -> Lint:
    """The linter over whole-lab texts, as the planner wants it."""
    from homelab_mcp.core.checks import LabFacts, LintStack, all_seen
    from homelab_mcp.queries.lab_facts import lab_facts, lint_settings
    from homelab_mcp.queries.lab_stacks import lint_stacks
    from homelab_mcp.queries.lint_memory import lint_remembered

    settings = lint_settings(lab)
    known: dict[frozenset[str], LabFacts] = {}

    def run(
        stacks: Sequence[StackFiles],
        networks: Collection[str],
        edits: Sequence[FileEdit],
        *,
        since: Known | None = None,
    ) -> Sequence[Finding]:
        coming = frozenset(networks)
        # Asked once a plan, so that before and after are judged by the same facts.
        if coming not in known:
            known[coming] = lab_facts(lab, coming_networks=coming)
        facts = known[coming]
        if since is not None:
            facts = replace(facts, unseen=facts.unseen or not all_seen(texts(*since), facts=facts))
        return lint_remembered(texts(stacks, edits), facts=facts, settings=settings)

    def texts(stacks: Sequence[StackFiles], edits: Sequence[FileEdit]) -> list[LintStack]:
        return lint_stacks(lab.files, stacks, {edit.path: edit.after for edit in edits})

    return run


def plan_of(lab: Lab, draft: Draft, snapshot: Snapshot, requester: Requester) -> Plan:
    """A stored plan of an operation's draft. Raises what ``Planner.make`` raises."""
    with unsearched():
        draft = keeping_routes(lab, with_derived(lab, draft, snapshot), snapshot)
    draft = with_ended_backups(lab, settled(lab, handed_over(draft, snapshot.stacks), snapshot), snapshot)
    if lab.files_only and draft.moves:
        raise InvalidInput(
            "Data moves only while its containers are down, and Docker is left out (files only).",
            code="plan_needs_docker",
            hint="Run without --files-only.",
        )
    if lab.files_only:
        # Said in the plan itself, so that nobody takes the written files for a running service.
        draft = replace(
            draft,
            actions=(),
            verification=Verification(),
            also_verify=(),
            notes=(
                *draft.notes,
                "Files only: nothing is started, stopped or verified; run `docker compose up -d` later.",
            ),
        )
    return planner(lab).make(draft, snapshot, requester, lint_of(lab))


def _refuse_unknown_stack(lab: Lab, stack: str) -> None:
    """A person may prepare any new stack's variables; a model's misspelt one would only leave a stray folder."""
    known = {name for name, _ in lab.files.stack_folders()} | {record.stack for record in lab.catalog.records()}
    if stack not in known and lab.files.read(f"{stack}/.env") is None:
        from homelab_mcp.queries.find import nearest

        raise NotFound(f"There is no stack {stack!r}.", hint=nearest(stack, known, "Stacks"), code="stack_unknown")
