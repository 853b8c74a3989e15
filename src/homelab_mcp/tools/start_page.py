"""Tools of the start page: ``show_homepage``, ``set_homepage``, ``set_homepage_widget``."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp_types import CallToolResult, ToolAnnotations
from pydantic import BaseModel, Field

from homelab_mcp.ports import Lab
from homelab_mcp.tools.plan_result import PLAN_ONLY, PlanOutput, plan_result
from homelab_mcp.tools.shape import guarded, in_thread, requester, result

Line = Annotated[str, Field(max_length=200)]
InfoWidgets = list[Literal["resources", "search", "datetime", "weather"]]
_MOST = 150


class HomepageOutput(BaseModel):
    """What the page shows, a line each; ``missing``: variables without a value; ``possible``: widgets to be had."""

    where: str
    entries: list[str]
    missing: list[str]
    possible: list[str]


def register_show(server: MCPServer[Any], lab: Lab) -> None:
    """Add ``show_homepage``."""

    @guarded
    async def show_homepage() -> Annotated[CallToolResult, HomepageOutput]:
        return result(await in_thread(shown, lab))

    server.add_tool(
        show_homepage,
        name="show_homepage",
        title="The start page",
        description="What Homepage lists, widgets that lack a key (and whose), and services that could have a widget, "
        "with where a person finds what it needs.",
        annotations=ToolAnnotations(
            read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False
        ),
    )


def shown(lab: Lab) -> HomepageOutput:
    """The start page for a reader."""
    from homelab_mcp.queries.start_page import start_page

    found = start_page(lab)
    return HomepageOutput(
        where=found.where,
        entries=list(found.entries[:_MOST]),
        missing=[f"{m.service}: {m.variable} in {m.stack}/.env" for m in found.missing[:_MOST]],
        possible=list(found.possible[:_MOST]),
    )


def register_page(server: MCPServer[Any], lab: Lab) -> None:
    """Add ``set_homepage``."""

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
    ) -> Annotated[CallToolResult, PlanOutput]:
        from homelab_mcp.workflow.propose_homepage import propose_set_homepage

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
        title="Plan the start page's looks",
        description="Plan Homepage's title, theme, top widgets and bookmarks. Not for services: they are listed by "
        "themselves. Changes nothing: returns a plan for apply_plan.",
        annotations=PLAN_ONLY,
    )


def register_widget(server: MCPServer[Any], lab: Lab) -> None:
    """Add ``set_homepage_widget``."""

    @guarded
    async def set_homepage_widget(
        ctx: Context[Any],
        service: Annotated[str, Field(description="Name or stack/name.", min_length=1, max_length=140)],
        fields: Annotated[
            dict[str, str], Field(description="Widget fields beyond the usual, no secrets.", max_length=20)
        ] = {},  # noqa: B006
        remove: bool = False,
    ) -> Annotated[CallToolResult, PlanOutput]:
        from homelab_mcp.workflow.propose_homepage import propose_set_widget

        plan = await in_thread(
            lambda: propose_set_widget(lab, requester(ctx), service=service, fields=fields, remove=remove)
        )
        return await plan_result(lab, plan)

    server.add_tool(
        set_homepage_widget,
        name="set_homepage_widget",
        title="Plan a service's widget on the start page",
        description="Plan live figures of a service on Homepage (see show_homepage for which). Its API key stays in "
        ".env, where a person puts it. Changes nothing: returns a plan for apply_plan.",
        annotations=PLAN_ONLY,
    )
