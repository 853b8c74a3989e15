"""From a plan to its end at the command line: show it, ask the person, apply, follow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from homelab_mcp.cli.common import (
    FAILED,
    NEEDS_APPROVAL,
    OK,
    ROLLED_BACK,
    at_terminal,
    console,
    emit,
    who,
)
from homelab_mcp.cli.diffs import diff_text
from homelab_mcp.core.own_command import approve_command

if TYPE_CHECKING:
    from homelab_mcp.model.plan import Plan, PlanStatus
    from homelab_mcp.ports import Lab
    from homelab_mcp.workflow.plan_view import PlanView

PlanOnly = Annotated[bool, typer.Option("--plan-only", help="Make the plan and stop; never ask.")]

PIN_HELP = "File with the approver's PIN; - reads one line from stdin."
PinFile = Annotated[str, typer.Option("--pin-file", envvar="HOMELAB_PIN_FILE", help=PIN_HELP)]


def show_view(shown: PlanView) -> None:
    """Print a plan for a person: what, risk, diff in colour, actions, findings, notes."""
    from rich.text import Text

    out = console()
    colour = {"low": "green", "medium": "yellow", "high": "red"}[shown.risk]
    out.print(Text.assemble((shown.summary, "bold"), "   risk: ", (shown.risk, f"bold {colour}")))
    out.print(Text(f"plan {shown.plan_id}  state {shown.state}", style="dim"))
    for reason in shown.reasons or ():
        out.print(Text(f"  · {reason}"))
    if shown.diff:
        out.print(diff_text(shown.diff))
    for title, lines in (("Then", shown.actions), ("Findings", shown.findings), ("Notes", shown.notes)):
        if lines:
            out.print(Text(title, style="bold"))
            for line in lines:
                out.print(Text(f"  {line}"))
    for seen in shown.evidence or ():
        mark = ("ok  ", "green") if seen.ok else ("FAIL", "red")
        out.print(Text.assemble("  ", mark, f" {seen.what}", f"\n       {seen.detail}" if seen.detail else ""))
    if shown.error:
        out.print(Text(shown.error, style="red"))
    if shown.undo:
        out.print(Text(f"Undo: {shown.undo}", style="dim"))


def read_pin(pin_file: str) -> str:
    """The approver's PIN, from a file, stdin, or asked at the terminal without echo."""
    import sys
    from pathlib import Path

    if pin_file == "-":
        return sys.stdin.readline().rstrip("\n")
    if pin_file:
        return Path(pin_file).read_text(encoding="utf-8").strip()
    typed: str = typer.prompt(
        "Approval PIN (empty: not now)", hide_input=True, default="", show_default=False, err=True
    )
    return typed


def proposed(lab: Lab, plan: Plan, *, as_json: bool, plan_only: bool) -> int:
    """Show a fresh plan; at a terminal ask for the PIN and apply it, else say how to go on."""
    from homelab_mcp.workflow.assembly import approvals
    from homelab_mcp.workflow.plan_view import view

    shown = view(plan, approvals(lab).state(plan.id), lab.clock.now(), policy=lab.policy, root=lab.root)
    emit(shown.model_dump(mode="json", exclude_none=True), as_json, lambda: show_view(shown))
    if not plan_only and not as_json and at_terminal() and lab.approver.exists():
        pin = read_pin("")
        if pin:
            approvals(lab).out_of_band(plan.id, pin, who=who(), approved=True)
            return apply_and_follow(lab, plan.id, as_json=False)
    if not as_json:
        told = approve_command(lab.root, plan.id, "--apply")
        console().print(f"\nNothing was changed yet. Next: {told}")
    return NEEDS_APPROVAL


def plan_of(lab: Lab, plan_id: str) -> Plan:
    """The plan with that id.

    Raises:
        NotFound: with the lab that was looked in, as the command that an answer names is often typed where neither
            ``--root`` nor HOMELAB_ROOT says that the lab is elsewhere.
    """
    from homelab_mcp.model.errors import NotFound

    try:
        return lab.plans.get(plan_id)
    except NotFound as error:
        raise NotFound(
            f"The lab in {lab.root} has no plan with this id.",
            hint="Where the lab is in another folder: homelab-mcp --root FOLDER before the command, or HOMELAB_ROOT.",
            code=error.code,
        ) from error


def apply_and_follow(lab: Lab, plan_id: str, *, as_json: bool) -> int:
    """Start the apply in its own process and show its steps until it ends; the exit code for its end."""
    from homelab_mcp.workflow.follow import follow, start
    from homelab_mcp.workflow.plan_view import view

    plan_of(lab, plan_id)
    start(lab, plan_id)
    err = console(error=True)

    def step(status: PlanStatus) -> None:
        if not as_json:
            err.print(f"  {status.state}: {status.step}" if status.step else f"  {status.state}", style="dim")

    status = follow(lab, plan_id, on_change=step)
    shown = view(lab.plans.get(plan_id), status, lab.clock.now(), full=False, policy=lab.policy, root=lab.root)
    emit(shown.model_dump(mode="json", exclude_none=True), as_json, lambda: show_view(shown))
    return exit_code(str(status.state))


def exit_code(state: str) -> int:
    """The exit code that stands for a plan's state."""
    return {"done": OK, "rolled_back": ROLLED_BACK, "pending": NEEDS_APPROVAL}.get(state, FAILED)
