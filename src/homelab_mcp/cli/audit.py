"""``homelab-mcp audit``."""

from __future__ import annotations

import posixpath
import shlex
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from homelab_mcp.cli.common import FAILED, OK, HostOption, JsonFlag, console, emit, lab_of, seen
from homelab_mcp.cli.plan_flow import PlanOnly, proposed

if TYPE_CHECKING:
    from homelab_mcp.core.audit.facts import Remedy
    from homelab_mcp.core.audit.report import Report


class What(StrEnum):
    """An audit's subject."""

    SECURITY = "security"
    RESOURCES = "resources"
    BACKUPS = "backups"
    MONITORING = "monitoring"


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def audit(
        ctx: typer.Context,
        what: Annotated[What, typer.Argument(help="The subject.")] = What.SECURITY,
        stack: Annotated[str, typer.Option(help="Only this stack.")] = "",
        old_days: Annotated[int, typer.Option(min=1, max=5000, help="From how many days on an image is old.")] = 180,
        host: HostOption = "",
        plan: Annotated[bool, typer.Option("--plan", help="Plan every safe fix as one change.")] = False,
        unsafe: Annotated[bool, typer.Option("--unsafe", help="With --plan: suggestions too.")] = False,
        plan_only: PlanOnly = False,
        as_json: JsonFlag = False,
    ) -> None:
        """What could be better, worst first, each with its fix; exit code 1 where an error is among them."""
        from homelab_mcp.queries.audit import audit as ask

        lab, _ = seen(lab_of(ctx), host, stack=stack)
        report = ask(lab, what.value, stack, old_days=old_days)
        if plan or plan_only:
            from homelab_mcp.model.errors import InvalidInput
            from homelab_mcp.model.plan import Requester
            from homelab_mcp.workflow.proposals import propose_fix

            call = (report.batch_all or report.batch) if unsafe else report.batch
            if call is None:
                raise InvalidInput(
                    "No finding has a fix that may be applied in one plan.",
                    hint="Suggestions need --unsafe; the other findings name a fix of their own, or need a person.",
                    code="nothing_to_do",
                )
            made = propose_fix(lab, stack, call.arguments["rules"], Requester(via="cli"), unsafe=unsafe)
            raise typer.Exit(proposed(lab.whole, made, as_json=as_json, plan_only=plan_only))
        from homelab_mcp.tools.audit import shown

        page = shown(report, len(report.findings))
        emit(page.model_dump(mode="json", exclude_none=True), as_json, lambda: _show(report, lab.root))
        raise typer.Exit(FAILED if report.counts["error"] else OK)


def command_of(fix: Remedy, root: str) -> str:
    """The command that plans what the call of a tool would plan."""
    given: dict[str, Any] = fix.arguments
    words = ["homelab-mcp"]
    if fix.tool == "fix_compose":
        words += ["validate", "--fix", *(["--unsafe"] if given.get("unsafe") else [])]
        words += [w for rule in given["rules"] for w in ("--rule", rule)]
        words += [posixpath.join(root, given["stack"])] if given.get("stack") else []
    elif fix.tool == "update_service":
        words += ["update", given["service"], "--stack", given["stack"]]
        words += ["--resources", given["resources"]] if given.get("resources") else []
        words += [w for k, v in given.get("limits", {}).items() for w in ("--limit", f"{k}={v}")]
    elif fix.tool == "set_access_policy":
        words += ["access", "set", *given["services"], "--policy", given["policy"]]
    elif fix.tool == "set_env":
        words += ["env", "set", given["stack"], *given["generate"], "--generate"]
    elif fix.tool == "update_images":
        words += ["upgrade", *given["services"]]
    else:
        words += ["add", given["service"]]
    return shlex.join(words)


def _show(report: Report, root: str) -> None:
    from rich.text import Text

    out = console()
    colours = {"error": "red", "warning": "yellow", "info": "cyan"}
    for found in report.findings:
        who = f" [{found.service}]" if found.service else ""
        out.print(Text.assemble((f"{found.severity:7}", colours[found.severity]), f" {found.id}{who} {found.message}"))
        if found.evidence:
            out.print(Text(f"        {found.evidence}", style="dim"))
        if found.fix:
            out.print(Text(f"        fix: {command_of(found.fix, root)}", style="dim"))
    for said in report.unseen:
        console(error=True).print(Text(said, style="yellow"))
    counts = ", ".join(f"{n} {word}" for word, n in report.counts.items() if n)
    out.print(Text(counts or "Nothing was found.", style="bold"))
    if report.batch or report.batch_all:
        out.print(
            Text("All that can be fixed in the files as one plan: add --plan, or --plan --unsafe with suggestions.")
        )
