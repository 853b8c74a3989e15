"""MCP resources: what a person or a client attaches to a conversation without a tool call.

Each is a page of text. What a page holds of the lab goes through the server's redactor like every other answer; values
of ``.env`` files are left out here already.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ResourceError

from homelab_mcp.model.errors import HomelabError
from homelab_mcp.ports import Lab
from homelab_mcp.tools.bounded import RESULT_LIMIT
from homelab_mcp.tools.shape import in_thread, told

MARKDOWN, YAML, JSON = "text/markdown", "application/yaml", "application/json"


def register(server: MCPServer[Any], lab: Lab) -> None:
    """Add the resources and templates to the server."""
    from homelab_mcp.queries import pages

    async def page(make: Callable[..., str], *arguments: Any) -> str:
        try:
            text: str = await in_thread(make, *arguments)
        except HomelabError as error:
            raise ResourceError(told(error)) from error
        # Masked before it is cut: half a secret would not be known as one.
        return cut(await in_thread(lambda: lab.redactor.redact(text, named=False)))

    _register_catalog(server, lab, page)

    @server.resource(
        "homelab://stacks/{stack}/compose",
        name="stack_file",
        title="A stack's compose file",
        description="The compose file as it is, secrets masked.",
        mime_type=YAML,
    )
    async def stack_file(stack: str) -> str:
        return await page(pages.compose_file, lab, stack)

    @server.resource(
        "homelab://stacks/{stack}/env",
        name="stack_variables",
        title="A stack's variables",
        description="The names in the stack's .env, and whether each is set; values stay in the lab.",
        mime_type="text/plain",
    )
    async def stack_variables(stack: str) -> str:
        return await page(pages.variables, lab, stack)

    @server.resource(
        "homelab://journal",
        name="journal",
        title="What happened",
        description="The last entries of the lab's journal, newest first.",
        mime_type=JSON,
    )
    async def journal() -> str:
        return await page(pages.journal, lab)

    @server.resource(
        "homelab://plans/{plan_id}",
        name="plan",
        title="A plan",
        description="A plan with its diff, risk and findings, as a page.",
        mime_type=MARKDOWN,
    )
    async def plan(plan_id: str) -> str:
        return await page(plan_page, lab, plan_id)

    _register_docs(server, lab, page)


def cut(text: str) -> str:
    """The page within the bytes of a result; what is cut off is said at its end."""
    raw = text.encode("utf-8", "replace")
    if len(raw) <= RESULT_LIMIT:
        return text
    note = f"\n… cut after {RESULT_LIMIT} bytes\n"
    return raw[: RESULT_LIMIT - len(note.encode())].decode(errors="ignore") + note


def _register_docs(server: MCPServer[Any], lab: Lab, page: Callable[..., Awaitable[str]]) -> None:
    from homelab_mcp.queries import pages

    @server.resource(
        "homelab://docs/{name}",
        name="docs",
        title="Documentation",
        description="A page of this program's documentation, e.g. security, lazy-loading, vpn.",
        mime_type=MARKDOWN,
    )
    async def docs(name: str) -> str:
        return await page(partial(pages.documentation, size=RESULT_LIMIT), lab, name)

    @server.resource(
        "homelab://docs/{name}/{part}",
        name="docs_part",
        title="Documentation, a part of a long page",
        description="What the end of a long page's first part names: 2 and on.",
        mime_type=MARKDOWN,
    )
    async def docs_part(name: str, part: str) -> str:
        return await page(partial(pages.documentation, size=RESULT_LIMIT), lab, name, part)


def _register_catalog(server: MCPServer[Any], lab: Lab, page: Callable[..., Awaitable[str]]) -> None:
    from homelab_mcp.queries import pages

    @server.resource(
        "homelab://catalog",
        name="catalog",
        title="Services that can be added",
        description="Every catalog service by category, a line each.",
        mime_type=MARKDOWN,
    )
    async def catalog() -> str:
        return await page(pages.catalog, lab)

    @server.resource(
        "homelab://catalog/{service}",
        name="catalog_entry",
        title="A catalog entry",
        description="A service's definition: image, ports, variables, needs, sources.",
        mime_type=JSON,
    )
    async def catalog_entry(service: str) -> str:
        return await page(pages.catalog_entry, lab, service)

    @server.resource(
        "homelab://catalog/{service}/docs",
        name="service_docs",
        title="A service's documentation",
        description="How a catalog service is reached, what it needs, keeps and asks for, and what to know of it.",
        mime_type=MARKDOWN,
    )
    async def service_docs(service: str) -> str:
        return await page(pages.service_documentation, lab, service)


def plan_page(lab: Lab, plan_id: str) -> str:
    """A plan as Markdown. Raises NotFound."""
    from homelab_mcp.workflow.assembly import approvals
    from homelab_mcp.workflow.plan_view import view

    plan = lab.plans.get(plan_id)
    shown = view(plan, approvals(lab).state(plan_id), lab.clock.now(), policy=lab.policy, root=lab.root)
    parts = [f"# {shown.summary}", f"Plan {shown.plan_id}: {shown.state}, {shown.risk} risk. {shown.next}"]
    for title, lines in (
        ("Why this risk", shown.reasons),
        ("What is done", shown.actions),
        ("Findings", shown.findings),
        ("Notes", shown.notes),
        ("What was seen", [json.dumps(e.model_dump(exclude_none=True)) for e in shown.evidence or ()]),
    ):
        if lines:
            parts += [f"## {title}", "\n".join(f"- {line}" for line in lines)]
    if shown.diff:
        parts += ["## Diff", f"~~~diff\n{shown.diff}~~~"]
    if shown.undo:
        parts += ["## Undo", shown.undo]
    return "\n\n".join(parts) + "\n"
