"""Tools ``validate_compose`` and ``fix_compose``."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp_types import CallToolResult, ToolAnnotations
from pydantic import BaseModel, Field

from homelab_mcp.ports import Lab
from homelab_mcp.tools.bounded import fitting, next_offset
from homelab_mcp.tools.plan_result import PLAN_ONLY, PlanOutput, plan_result
from homelab_mcp.tools.shape import guarded, in_thread, requester, result

_MOST_NOT_ASKED = 20


class FindingRow(BaseModel):
    """One finding; line and column count from 1, 0 where unknown; ``fix``: safe or suggestion, by fix_compose."""

    rule: str
    severity: str
    file: str
    line: int
    column: int
    service: str
    message: str
    fix: str | None = None


class ValidateOutput(BaseModel):
    """Findings, errors first; ``ok`` when none is an error."""

    ok: bool
    counts: dict[str, int]
    findings: list[FindingRow]
    total: int
    next_offset: int | None = None
    not_asked: list[str] | None = None


def register(server: MCPServer[Any], lab: Lab) -> None:
    """Add the tool to the server."""

    @guarded
    async def validate_compose(
        stack: Annotated[
            str, Field(description="A stack, or a path in the lab; empty: the whole lab.", max_length=200)
        ] = "",
        content: Annotated[
            list[Annotated[str, Field(max_length=2_000_000)]],
            Field(description="YAML to check instead of the lab's; several merge like -f files.", max_length=10),
        ] = [],  # noqa: B006
        engine: Annotated[bool, Field(description="Also ask `docker compose config`.")] = False,
        severity: Annotated[
            Literal["error", "warning", "info"], Field(description="Least severity shown.")
        ] = "warning",
        limit: Annotated[int, Field(ge=1, le=100)] = 30,
        offset: Annotated[int, Field(ge=0)] = 0,
    ) -> Annotated[CallToolResult, ValidateOutput]:
        from homelab_mcp.core.checks.fixes import fix_word
        from homelab_mcp.queries.validate_lab import check

        judge = lab.judge if engine else None
        found = await in_thread(check, lab, stack=stack, content=content, severity=severity, judge=judge)
        asked = found.findings[offset : offset + limit]
        rows = [FindingRow(**f.as_dict(), fix=fix_word(f.rule) or None) for f in asked]
        # Of the whole question: said once, so that every page has room for findings.
        not_asked = [*found.not_asked[:_MOST_NOT_ASKED]] if not offset else []
        if not offset and len(found.not_asked) > _MOST_NOT_ASKED:
            not_asked.append(f"... and {len(found.not_asked) - _MOST_NOT_ASKED} more; name a stack.")

        def page(count: int) -> ValidateOutput:
            return ValidateOutput(
                ok=not found.counts["error"],
                counts=found.counts,
                findings=rows[:count],
                total=len(found.findings),
                next_offset=next_offset(offset, count, len(found.findings)),
                not_asked=not_asked or None,
            )

        return result(fitting(page, len(rows)))

    server.add_tool(
        validate_compose,
        name="validate_compose",
        title="Check compose files",
        description="Check a stack, the whole lab or pasted compose YAML for what Compose refuses, what cannot work "
        "and what endangers the lab. Works without Docker. Plans are checked by themselves: no need "
        "to call this first; fix_compose mends what it finds.",
        annotations=ToolAnnotations(
            read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False
        ),
    )


def register_fix(server: MCPServer[Any], lab: Lab) -> None:
    """Add the tool ``fix_compose``."""

    @guarded
    async def fix_compose(
        ctx: Context[Any],
        stack: Annotated[str, Field(description="Only this stack; empty: the whole lab.", max_length=80)] = "",
        rules: Annotated[list[str], Field(description="Only these rules, e.g. HL014.", max_length=30)] = [],  # noqa: B006
        unsafe: Annotated[
            bool, Field(description="Also suggestions that may change how a service works; ask the person first.")
        ] = False,
    ) -> Annotated[CallToolResult, PlanOutput]:
        from homelab_mcp.workflow.proposals import propose_fix

        plan = await in_thread(propose_fix, lab, stack, rules, requester(ctx), unsafe=unsafe)
        return await plan_result(lab, plan)

    server.add_tool(
        fix_compose,
        name="fix_compose",
        title="Plan fixing compose files",
        description="Plan the fixes that validate_compose has for its findings, in the person's own files and layout. "
        "Changes nothing: returns a plan for apply_plan.",
        annotations=PLAN_ONLY,
    )
