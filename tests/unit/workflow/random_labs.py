"""Labs for random sequences of operations: made, changed step by step with every step judged, and taken back."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from homelab_mcp.bootstrap import LocalLab, open_lab
from homelab_mcp.model.errors import HomelabError
from homelab_mcp.model.finding import Severity
from homelab_mcp.model.plan import Plan, PlanState
from homelab_mcp.ports import Signer
from homelab_mcp.queries.find import read_stacks
from homelab_mcp.workflow.assembly import applier, approvals
from homelab_mcp.workflow.init_lab import init_lab
from homelab_mcp.workflow.proposals import lint_of, propose_add_service, propose_rollback
from tests.unit.workflow import deployed_readers
from tests.unit.workflow.random_operations import OPERATIONS, PERSON, Draw

PIN = "27182818"
STEPS = 30
OURS = frozenset(
    {"lint_refused", "compose_refused", "edit_broke_file", "edit_changed_more", "plan_stale", "secret_in_public_file"}
)
"""Refusals that mean that an operation made something wrong of a request it took."""

BY_HAND = """\
# Kept by hand since 2019.
services:
  notes:
    image: ghcr.io/example/notes:1.2.3   # do not bump
    restart: always
    environment:
      - TZ=Europe/Berlin
      - TOKEN=${NOTES_TOKEN}
    volumes:
      - ./notes/data:/data
  notes-cache:
    image: redis:7.4.1
    command: redis-server --save 60 1
"""


def make_core(made: Path) -> Signer:
    """A lab with Traefik, log-in, Sablier, a start page and a stack kept by hand in that folder; its approver."""
    settings = {"domain": deployed_readers.DOMAIN, "email": "a@lab.test", "acme.challenge": "tls"}
    init_lab(open_lab(str(made), files_only=True), settings, PIN)
    signer = lab_at(made).approver.unlock(PIN)
    # Before the services, so that the lab's page knows of it.
    (made / "notes").mkdir()
    (made / "notes/compose.yaml").write_text(BY_HAND)
    (made / "notes/.env").write_text("# mine\nNOTES_TOKEN=aaaabbbbcccc\n")
    (made / "notes/.env").chmod(0o600)
    for service in ("traefik", "authelia", "sablier", "homepage"):
        apply(made, propose_add_service(lab_at(made), service, "", {}, PERSON), signer)
    return signer


def lab_at(root: Path) -> LocalLab:
    return open_lab(str(root), files_only=True)


def apply(root: Path, plan: Plan, signer: Signer) -> None:
    lab = lab_at(root)
    approvals(lab).signed(plan.id, signer, who="test", approved=True)
    status = applier(lab).run(plan.id)
    assert status.state is PlanState.DONE, f"{plan.draft.summary}: {status}"


def texts(root: Path) -> dict[str, bytes]:
    found = sorted(root.rglob("*"))
    return {
        str(p.relative_to(root)): p.read_bytes()
        for p in found
        if p.is_file() and not {".git", ".homelab"} & set(p.relative_to(root).parts)
    }


def sound(root: Path) -> None:
    """No error of the linter, and what follows from the lab does follow."""
    lab = lab_at(root)
    stacks = read_stacks(lab.files)
    errors = [f.as_line() for f in lint_of(lab)(stacks, (), ()) if f.severity is Severity.ERROR]
    assert errors == []
    deployed_readers.check(root)


def run(
    root: Path,
    seed: int,
    signer: Signer,
    steps: int = STEPS,
    *,
    judged: Callable[[Path, Plan], None] = lambda root, plan: None,
) -> tuple[list[Plan], Counter[str]]:
    """One sequence; what was applied, and how often each operation was, or was refused.

    ``judged`` is called after each plan that was applied, and raises AssertionError where it finds something wrong.
    """
    source = random.Random(seed)  # the same sequence for the same seed
    names, weights = list(OPERATIONS), [weight for weight, _ in OPERATIONS.values()]
    applied: list[Plan] = []
    told: Counter[str] = Counter()
    for step in range(3 * steps):
        # What is refused was tried as well; but a sequence in which little happens shows little.
        if step >= steps and len(applied) >= steps // 2:
            break
        name = source.choices(names, weights)[0]
        try:
            plan = OPERATIONS[name][1](Draw(lab_at(root), source, applied))
        except HomelabError as refused:
            assert refused.code not in OURS, f"seed {seed} step {step} {name}: {refused.code} {refused.message}"
            told[f"{name}: {refused.code}"] += 1
            continue
        try:
            apply(root, plan, signer)
            applied.append(plan)
            told[name] += 1
            sound(root)
            judged(root, plan)
        except AssertionError as wrong:
            raise AssertionError(f"seed {seed} step {step} {name}, {plan.draft.summary}: {wrong}") from wrong
    return applied, told


def undo(root: Path, applied: list[Plan], signer: Signer) -> None:
    """Take each plan back, the last one first."""
    for plan in reversed(applied):
        try:
            apply(root, propose_rollback(lab_at(root), plan.id, PERSON), signer)
        except HomelabError as refused:
            raise AssertionError(f"undo of {plan.draft.summary}: {refused.message}") from refused
