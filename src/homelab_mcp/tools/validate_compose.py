"""Tool ``validate_compose``."""

from __future__ import annotations

from typing import Annotated, Any

from mcp.server import MCPServer
from mcp_types import CallToolResult, ToolAnnotations
from pydantic import BaseModel, Field

from homelab_mcp.ports import Lab
from homelab_mcp.tools.shape import guarded, in_thread, result


class FindingRow(BaseModel):
    """One finding; line and column count from 1, 0 where unknown."""

    rule: str
    severity: str
    file: str
    line: int
    column: int
    service: str
    message: str


class ValidateOutput(BaseModel):
    """Findings, errors first; ``ok`` when none is an error."""

    ok: bool
    counts: dict[str, int]
    findings: list[FindingRow]
    total: int
    next_offset: int | None = None


def register(server: MCPServer[Any], lab: Lab) -> None:
    """Add the tool to the server."""

    @guarded
    async def validate_compose(
        stack: Annotated[str, Field(description="Only this stack; empty: the whole lab.", max_length=80)] = "",
        content: Annotated[
            str, Field(description="Compose YAML to check instead of the lab's files.", max_length=2_000_000)
        ] = "",
        severity: Annotated[
            str, Field(description="Least severity shown: error, warning or info.", pattern="^(error|warning|info)$")
        ] = "warning",
        limit: Annotated[int, Field(ge=1, le=100)] = 30,
        offset: Annotated[int, Field(ge=0)] = 0,
    ) -> Annotated[CallToolResult, ValidateOutput]:
        from homelab_mcp.queries.validate_lab import check

        found = await in_thread(check, lab, stack=stack, content=content, severity=severity)
        page = found.findings[offset : offset + limit]
        more = offset + len(page)
        return result(
            ValidateOutput(
                ok=not found.counts["error"],
                counts=found.counts,
                findings=[FindingRow(**f.as_dict()) for f in page],
                total=len(found.findings),
                next_offset=more if more < len(found.findings) else None,
            )
        )

    server.add_tool(
        validate_compose,
        name="validate_compose",
        title="Check compose files",
        description="Check a stack, the whole lab or pasted compose YAML for what Compose refuses, what cannot work "
        "and what endangers the lab. Works without Docker. Plans are checked by themselves: no need "
        "to call this first.",
        annotations=ToolAnnotations(
            read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False
        ),
    )
