"""Tool ``show_platform``: log-in and start page as the lab's files have them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from mcp.server import MCPServer
from mcp_types import CallToolResult, ToolAnnotations
from pydantic import BaseModel

from homelab_mcp.ports import Lab
from homelab_mcp.tools.shape import guarded, in_thread, result

_MOST = 150


class PlatformOutput(BaseModel):
    """A line each: who (people, or nothing), what (routes, or entries of the page), and notes."""

    where: str
    people: list[str]
    lines: list[str]
    notes: list[str]


def register(server: MCPServer[Any], lab: Lab) -> None:
    """Add the tool to the server."""

    @guarded
    async def show_platform(part: Literal["sign_on", "homepage"]) -> Annotated[CallToolResult, PlatformOutput]:
        return result(await in_thread(sign_on_of if part == "sign_on" else homepage_of, lab))

    server.add_tool(
        show_platform,
        name="show_platform",
        title="Log-in or start page",
        description="sign_on: people with their groups, and what each host asks (log-in, second factor, groups) or why "
        "it is open. homepage: its entries, widgets that lack a key, and services that could have a widget. From "
        "files; no password or code is shown.",
        annotations=ToolAnnotations(
            read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False
        ),
    )


def sign_on_of(lab: Lab) -> PlatformOutput:
    """The lab's log-in for a reader."""
    from homelab_mcp.core.access import explained
    from homelab_mcp.queries.sign_on import sign_on

    found = sign_on(lab)
    notes = list(found.problems)
    if found.portal and not found.rules_follow:
        notes.append("Authelia has rules of its own alone; set_access_policy with groups or two_factor changes that.")
    if found.portal and not found.sessions_last:
        notes.append("Sessions are in Authelia's memory: its restart logs everybody out.")
    if found.notices:
        how = "by mail" if found.notices == "mail" else "to a file; a person reads it: homelab-mcp user notice"
        notes.append(f"Notices (codes, reset links) go {how}.")
    if len(found.routes) > _MOST:
        notes.append(f"{len(found.routes) - _MOST} more routes: homelab-mcp access list")
    return PlatformOutput(
        where=found.portal,
        people=[f"{u.name}{' [disabled]' if u.disabled else ''}: {', '.join(u.groups)}" for u in found.users[:_MOST]],
        lines=[f"{r.host}: {'; '.join(explained(r))}" for r in found.routes[:_MOST]],
        notes=notes,
    )


def homepage_of(lab: Lab) -> PlatformOutput:
    """The start page for a reader."""
    from homelab_mcp.queries.start_page import start_page

    found = start_page(lab)
    missing = [f"{m.service}: no value for {m.variable} in {m.stack}/.env" for m in found.missing[:_MOST]]
    possible = [
        f"{line.partition(': ')[0]} can have a widget; needs: {line.partition(': ')[2]}" for line in found.possible
    ]
    return PlatformOutput(where=found.where, people=[], lines=list(found.entries[:_MOST]), notes=[*missing, *possible])
