"""A plan shown as a page in clients that can (MCP Apps, extension ``io.modelcontextprotocol/ui`` of 2026-01-26).

Only clients that declare the extension are told of it: they get the page's address with each tool that answers with a
plan. Everybody gets the same text. The page only shows. It is one file without anything from elsewhere, it calls no
tool, and clients are told that no tool of ours is a page's to call: approval stays where neither it nor a model can
reach.

Source: modelcontextprotocol/ext-apps, specification/2026-01-26/apps.mdx.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from mcp.server.apps import Apps, client_supports_apps
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.mcpserver.tools import Tool
from pydantic import BaseModel

from homelab_mcp.tools.plan_result import PlanOutput

URI = "ui://homelab-mcp/plan"
PAGE_KEY = "io.github.homelab-mcp/approvals"
"""In ``_meta`` of a plan's answer: the address of this plan on the approval page. Models are not shown ``_meta``."""

_MODEL_ONLY = ["model"]
"""Hosts must refuse a page's call of a tool whose visibility lacks ``app``."""


def extension() -> Apps:
    """The extension with its one page, to be given to the server."""
    apps = Apps()
    apps.add_html_resource(
        URI,
        Path(__file__).with_name("plan_app.html").read_text("utf-8"),
        name="plan_view",
        title="A plan as a page",
        description="Shows a plan's diff, risk and findings. It cannot approve.",
        prefers_border=True,
    )
    return apps


def plan_tools(tools: Collection[Tool]) -> frozenset[str]:
    """Names of the tools that answer with a whole plan; ``apply_plan`` tells of an outcome alone."""
    return frozenset(t.name for t in tools if t.fn_metadata.output_model is PlanOutput and t.name != "apply_plan")


class PlanApp:
    """Server middleware that tells clients of the page, if they can show it.

    Args:
        tools: names of the tools that answer with a plan.
        approvals: address of the approval page, ending in ``/``; "" where none is known.
    """

    def __init__(self, tools: Collection[str], approvals: str = "") -> None:
        self._tools = frozenset(tools)
        self._approvals = approvals

    async def __call__(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        """Let the request through; what a list or a plan then also holds."""
        found = await call_next(ctx)
        if found is None or ctx.method not in ("tools/list", "tools/call", "resources/list"):
            return found
        body = (
            found.model_dump(mode="json", by_alias=True, exclude_none=True) if isinstance(found, BaseModel) else found
        )
        if not client_supports_apps(ctx):
            return _without_page(body)
        for tool in body.get("tools", ()):
            shown = {"resourceUri": URI} if tool["name"] in self._tools else {}
            tool["_meta"] = {**tool.get("_meta", {}), "ui": {**shown, "visibility": _MODEL_ONLY}}
        plan = (body.get("structuredContent") or {}).get("plan_id")
        if self._approvals and isinstance(plan, str):
            body["_meta"] = {**body.get("_meta", {}), PAGE_KEY: f"{self._approvals}plans/{plan}"}
        return body


def _without_page(body: dict[str, Any]) -> dict[str, Any]:
    if "resources" in body:
        body["resources"] = [one for one in body["resources"] if one["uri"] != URI]
    return body
