"""Tool ``audit``."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, Literal

from mcp.server import MCPServer
from mcp_types import CallToolResult, ToolAnnotations
from pydantic import BaseModel, ConfigDict, Field

from homelab_mcp.core.audit.report import Report
from homelab_mcp.ports import Lab
from homelab_mcp.tools.bounded import fitting, next_offset
from homelab_mcp.tools.shape import guarded, in_thread, result


class AuditOutput(BaseModel):
    """Findings, worst first (``failures``: the smallest first).

    ``fix`` and ``batch`` are calls that make a plan; ``batch_all`` with suggestions.
    """

    model_config = ConfigDict(extra="allow")

    counts: dict[str, int]
    findings: list[dict[str, Any]]
    total: int
    next_offset: int | None = None


def shown(report: Report, limit: int, offset: int = 0) -> AuditOutput:
    """One page of a report, as tool and command print it."""
    page = report.findings[offset : offset + limit]
    more = offset + len(page)
    calls = {"batch": report.batch, "batch_all": report.batch_all}
    extra: dict[str, Any] = {k: {"tool": c.tool, "arguments": c.arguments} for k, c in calls.items() if c}
    if report.unseen:
        extra["unseen"] = list(report.unseen)
    return AuditOutput(
        counts=report.counts,
        findings=[f.as_dict() for f in page],
        total=len(report.findings),
        next_offset=more if more < len(report.findings) else None,
        **extra,
    )


def _failures(lab: Lab, stack: str, offset: int) -> Callable[[int], AuditOutput]:
    """Makes a page of so many failures, from ``offset`` on."""
    from homelab_mcp.queries.failures import failures_of

    rows, counts, unseen = failures_of(lab, stack)

    def page(limit: int) -> AuditOutput:
        shown = rows[offset : offset + limit]
        return AuditOutput(
            counts=counts,
            findings=shown,
            total=len(rows),
            next_offset=next_offset(offset, len(shown), len(rows)),
            **({"unseen": unseen} if unseen else {}),
        )

    return page


def register(server: MCPServer[Any], lab: Lab) -> None:
    """Add the tool to the server."""

    @guarded
    async def audit(
        what: Literal["security", "resources", "backups", "monitoring", "failures"],
        stack: Annotated[str, Field(description="Only this stack; empty: the whole lab.", max_length=80)] = "",
        limit: Annotated[int, Field(ge=1, le=30)] = 20,
        offset: Annotated[int, Field(ge=0)] = 0,
    ) -> Annotated[CallToolResult, AuditOutput]:
        if what == "failures":
            return result(fitting(await in_thread(_failures, lab, stack, offset), limit))
        from homelab_mcp.queries.audit import audit as ask

        report = await in_thread(ask, lab, what, stack)
        return result(fitting(partial(shown, report, offset=offset), limit))

    server.add_tool(
        audit,
        name="audit",
        title="Audit the lab",
        description="What could be better in security (ports past the firewall, open routes, root, old images, weak "
        "secrets), resources, backups or monitoring, worst first, each with the call that plans its fix. batch plans "
        "all safe fixes at once; batch_all also those that need the person's word. failures: which services go on, "
        "which do not and why, when a program, Traefik, the log-in, a machine or a NAS fails. Changes nothing.",
        annotations=ToolAnnotations(
            read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False
        ),
    )
