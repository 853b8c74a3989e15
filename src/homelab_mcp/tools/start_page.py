"""Tool ``set_homepage``: the start page's looks, bookmarks, and widgets of services."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp_types import CallToolResult
from pydantic import Field

from homelab_mcp.ports import Lab
from homelab_mcp.tools.plan_result import PLAN_ONLY, PlanOutput, plan_result
from homelab_mcp.tools.shape import guarded, in_thread, requester

Line = Annotated[str, Field(max_length=200)]
InfoWidgets = list[Literal["resources", "search", "datetime", "weather"]]


def register(server: MCPServer[Any], lab: Lab) -> None:
    """Add the tool to the server."""

    @guarded
    async def set_homepage(
        ctx: Context[Any],
        title: Line = "",
        theme: Literal["", "dark", "light"] = "",
        color: Annotated[Line, Field(description="A palette, e.g. slate.")] = "",
        show: Annotated[InfoWidgets, Field(description="Widgets at the top to have.")] = [],  # noqa: B006
        hide: Annotated[InfoWidgets, Field(description="Widgets at the top to take away.")] = [],  # noqa: B006
        search: Annotated[Line, Field(description="Search with google, duckduckgo, bing, baidu or brave.")] = "",
        place: Annotated[Line, Field(description="latitude, longitude: weather there.")] = "",
        bookmark: Annotated[Line, Field(description="Name of a bookmark to set, or to remove without href.")] = "",
        group: Line = "Bookmarks",
        href: Line = "",
        widget: Annotated[Line, Field(description="A service to show live figures of; a plan of its own.")] = "",
        fields: Annotated[dict[str, str], Field(description="Its fields beyond the usual.", max_length=20)] = {},  # noqa: B006
        remove_widget: bool = False,
    ) -> Annotated[CallToolResult, PlanOutput]:
        from homelab_mcp.workflow.propose_homepage import propose_set_homepage, propose_set_widget

        if widget:
            wanted: dict[str, Any] = {"service": widget, "fields": fields, "remove": remove_widget}
            plan = await in_thread(lambda: propose_set_widget(lab, requester(ctx), **wanted))
            return await plan_result(lab, plan)
        values: dict[str, Any] = {
            "title": title,
            "theme": theme,
            "color": color,
            "show": tuple(show),
            "hide": tuple(hide),
            "search": search,
            "place": place,
            "bookmark": bookmark,
            "group": group,
            "href": href,
        }
        plan = await in_thread(lambda: propose_set_homepage(lab, requester(ctx), **values))
        return await plan_result(lab, plan)

    server.add_tool(
        set_homepage,
        name="set_homepage",
        title="Plan the start page",
        description="Plan Homepage's title, theme, top widgets and bookmarks, or a service's widget (show_platform "
        "tells which; API keys stay in .env, where a person puts them). Services list themselves. Changes nothing: "
        "returns a plan for apply_plan.",
        annotations=PLAN_ONLY,
    )
