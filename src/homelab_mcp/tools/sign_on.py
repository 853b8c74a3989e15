"""Tools around log-in: ``set_access_policy``, ``manage_user``, ``set_sign_on``."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp_types import CallToolResult
from pydantic import Field

from homelab_mcp.ports import Lab
from homelab_mcp.tools.plan_result import PLAN_ONLY, PlanOutput, plan_result
from homelab_mcp.tools.shape import guarded, in_thread, requester

Names = Annotated[list[str], Field(max_length=50)]
Text = Annotated[str, Field(max_length=253)]


def register_access(server: MCPServer[Any], lab: Lab) -> None:
    """Add ``set_access_policy``."""

    @guarded
    async def set_access_policy(
        ctx: Context[Any],
        services: Annotated[
            Names, Field(description="Names, stack/name, or stack:NAME and category:NAME for all in it.", min_length=1)
        ],
        policy: Literal["keep", "one_factor", "two_factor", "bypass"] = "keep",
        groups: Annotated[Names, Field(description="Only these may pass; [everyone] lifts it; empty: as is.")] = [],  # noqa: B006
        reason: Annotated[str, Field(description="Why no log-in; needed with bypass.", max_length=200)] = "",
    ) -> Annotated[CallToolResult, PlanOutput]:
        from homelab_mcp.workflow.propose_sign_on import propose_set_access

        values = {"services": tuple(services), "policy": policy, "groups": tuple(groups), "reason": reason}
        plan = await in_thread(lambda: propose_set_access(lab, requester(ctx), **values))
        return await plan_result(lab, plan)

    server.add_tool(
        set_access_policy,
        name="set_access_policy",
        title="Plan who may pass to services",
        description="Plan to ask log-in, a second factor or group membership in front of services that are there, or "
        "to open them. Changes nothing: returns a plan for apply_plan. People and groups: manage_user.",
        annotations=PLAN_ONLY,
    )


def register_user(server: MCPServer[Any], lab: Lab) -> None:
    """Add ``manage_user``."""

    @guarded
    async def manage_user(
        ctx: Context[Any],
        action: Literal["add", "remove", "disable", "enable", "groups", "reset_password"],
        name: Annotated[str, Field(min_length=1, max_length=64)],
        groups: Annotated[Names, Field(description="All groups of theirs, for add and groups; [none]: no group.")] = [],  # noqa: B006
        displayname: Annotated[str, Field(max_length=100)] = "",
        email: Text = "",
    ) -> Annotated[CallToolResult, PlanOutput]:
        from homelab_mcp.workflow.propose_sign_on import propose_manage_user

        values: dict[str, Any] = {
            "action": action,
            "name": name,
            "groups": tuple(groups),
            "displayname": displayname,
            "email": email,
        }
        made = await in_thread(lambda: propose_manage_user(lab, requester(ctx), **values))
        return await plan_result(lab, made.plan)

    server.add_tool(
        manage_user,
        name="manage_user",
        title="Plan a change of who may log in",
        description="Plan to add, remove, disable or enable a person of the lab's log-in, set their groups, or give a "
        "new password. Changes nothing: returns a plan for apply_plan. Passwords are made here and never shown to you: "
        "the person reads theirs with `homelab-mcp user password NAME`. A lost second factor: see docs/sign-on.md.",
        annotations=PLAN_ONLY,
    )


def register_sign_on(server: MCPServer[Any], lab: Lab) -> None:
    """Add ``set_sign_on``."""

    @guarded
    async def set_sign_on(
        ctx: Context[Any],
        inactivity: Annotated[Text, Field(description="Log out after this long unused, e.g. 1 hour.")] = "",
        expiration: Annotated[Text, Field(description="Log out after this long anyway.")] = "",
        remember_me: Annotated[Text, Field(description="The same, with remember me ticked, e.g. 1M.")] = "",
        notify: Literal["keep", "file", "smtp"] = "keep",
        mail_address: Annotated[Text, Field(description="submissions://smtp.example.org:465")] = "",
        mail_sender: Text = "",
        mail_username: Text = "",
    ) -> Annotated[CallToolResult, PlanOutput]:
        from homelab_mcp.workflow.propose_sign_on import propose_set_sign_on

        values = {
            "inactivity": inactivity,
            "expiration": expiration,
            "remember_me": remember_me,
            "notify": notify,
            "mail_address": mail_address,
            "mail_sender": mail_sender,
            "mail_username": mail_username,
        }
        plan = await in_thread(lambda: propose_set_sign_on(lab, requester(ctx), **values))
        return await plan_result(lab, plan)

    server.add_tool(
        set_sign_on,
        name="set_sign_on",
        title="Plan how log-in works",
        description="Plan to change how long sessions last, or whether Authelia's notices (reset links, codes) go to a "
        "file or by mail. Empty: as it is. Changes nothing: returns a plan for apply_plan.",
        annotations=PLAN_ONLY,
    )
