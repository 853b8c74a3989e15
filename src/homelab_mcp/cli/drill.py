"""``homelab-mcp drill``: take a machine's part away on purpose, and see who goes on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from homelab_mcp.cli.common import FAILED, NEEDS_APPROVAL, OK, JsonFlag, at_terminal, console, emit, lab_of
from homelab_mcp.cli.plan_flow import proposed

if TYPE_CHECKING:
    from homelab_mcp.core.drill_report import Seen
    from homelab_mcp.core.survival_standby import Failure
    from homelab_mcp.ports import Lab

_ASKED = "Only a person at a terminal can say yes to a drill of a node."


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def drill(
        ctx: typer.Context,
        lost: Annotated[
            str, typer.Argument(help="A node of the Swarm, or with --watch a host of hosts.yaml or local.")
        ] = "",
        watch: Annotated[
            int,
            typer.Option("--watch", min=0, max=3600, help="Plan nothing; watch so many seconds while you do it."),
        ] = 0,
        after: Annotated[int, typer.Option(min=0, max=600, help="Seconds to go on watching after the drain.")] = 20,
        as_json: JsonFlag = False,
    ) -> None:
        """Prove who goes on without a machine: plans to drain a node, watches every service, plans to give it back.

        Exit code 1 where a service was said to go on and did not.
        """
        from homelab_mcp.core.drill_report import report
        from homelab_mcp.model.errors import InvalidInput
        from homelab_mcp.queries.drill import Watch, is_node, predicted

        lab = lab_of(ctx)
        said = predicted(lab, lost) if lost else None
        if not watch and (not lost or is_node(lab, lost) is None):
            raise InvalidInput(
                "Nothing here switches a machine off." if lost else "Say which node.",
                hint="`homelab-mcp drill --watch 120 HOST` watches while you do; a node of the Swarm can be drained.",
                code="not_a_node",
            )
        if watch:
            watching = Watch(lab)
            # Who takes the machine away sooner takes it from what was never looked at.
            console(error=True).print(f"Watching for {watch} s from now on: take it away.")
            end = time.monotonic() + watch
            seen = watching.run(lambda: time.monotonic() > end)
        else:
            if as_json or not at_terminal():
                raise InvalidInput(_ASKED, hint="With --watch it plans nothing.", code="needs_terminal")
            done, seen = drained(lab, lost, after)
            if not done:
                raise typer.Exit(NEEDS_APPROVAL)
        found = report(seen, said, orderly=not watch)
        emit(found, as_json, lambda: _show(found, said))
        raise typer.Exit(FAILED if found["surprises"] else OK)


def drained(lab: Lab, node: str, after: int) -> tuple[bool, tuple[Seen, ...]]:
    """Drain with a person's yes while watching, then offer the way back; whether it was done, and what was seen."""
    from homelab_mcp.model.plan import Requester
    from homelab_mcp.queries.drill import Watch
    from homelab_mcp.workflow.propose_swarm import propose_node

    codes: list[int] = []

    def drain() -> None:
        plan = propose_node(lab, "drain", node, Requester(via="cli"))
        codes.append(proposed(lab, plan, as_json=False, plan_only=False))

    seen = watched(Watch(lab).run, drain, after)
    if codes != [OK]:
        return False, ()
    console().print(f"\nNow the way back of {node}:")
    proposed(lab, propose_node(lab, "activate", node, Requester(via="cli")), as_json=False, plan_only=False)
    return True, seen


def watched(
    run: Callable[[Callable[[], bool]], tuple[Seen, ...]], act: Callable[[], None], after: float
) -> tuple[Seen, ...]:
    """What ``run`` saw while ``act`` was done and for so many seconds more."""
    ended = threading.Event()
    kept: list[tuple[Seen, ...]] = []
    thread = threading.Thread(target=lambda: kept.append(run(ended.is_set)), name="drill", daemon=True)
    thread.start()
    try:
        act()
        ended.wait(after)
    finally:
        ended.set()
        thread.join()
    return kept[0] if kept else ()


def _show(found: dict[str, Any], said: Failure | None) -> None:
    out = console()
    if said:
        out.print(f"Said before: {said.what}.", markup=False)
    for row in found["services"]:
        told = f"  (said: {row['said']})" if row["said"] else ""
        out.print(f"{row['service']:<32} {row['seen']}, by {row['by']}{told}", markup=False)
    for line in found["surprises"]:
        out.print(line, style="yellow", markup=False)
    for line in found["notes"]:
        out.print(line, style="dim", markup=False)
