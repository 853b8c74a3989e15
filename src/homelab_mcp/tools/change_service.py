"""Tools ``update_service``, ``move_service``, ``connect_services``, ``fix_permissions`` and ``check_storage``."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp_types import CallToolResult, ToolAnnotations
from pydantic import BaseModel, ConfigDict, Field

from homelab_mcp.ports import Lab
from homelab_mcp.tools.bounded import fitting
from homelab_mcp.tools.plan_result import PLAN_ONLY, PlanOutput, plan_result
from homelab_mcp.tools.shape import guarded, in_thread, requester, result

Short = Annotated[str, Field(max_length=80)]
Service = Annotated[str, Field(description="Compose service name.", min_length=1, max_length=80)]
Stack = Annotated[str, Field(description="Its stack; needed only when the name is in several.", max_length=80)]
Line = Annotated[str, Field(max_length=200)]


class StorageOutput(BaseModel):
    """Problems as sentences, and the mounts that were looked at."""

    model_config = ConfigDict(extra="allow")

    problems: list[str]
    mounts: list[dict[str, Any]]
    total: int


def register_update(server: MCPServer[Any], lab: Lab) -> None:
    """Add ``update_service``."""

    @guarded
    async def update_service(
        ctx: Context[Any],
        service: Service,
        stack: Stack = "",
        tag: Annotated[str, Field(description="Image tag.", max_length=128)] = "",
        subdomain: Annotated[Short, Field(description="Host name left of the domain.")] = "",
        port: Annotated[int, Field(description="Container port the route leads to.", ge=0, le=65535)] = 0,
        sso: Annotated[
            Literal["keep", "protect", "bypass"], Field(description="Log-in; bypass needs sso_reason.")
        ] = "keep",
        sso_reason: Line = "",
        resources: Annotated[
            Literal["", "tiny", "web", "database", "media", "downloader", "heavy", "monitoring", "measured"],
            Field(description="Class of limits; measured: from what it uses in the next 10 s."),
        ] = "",
        limits: Annotated[
            dict[str, str],
            Field(
                description="memory (2G), cpus (1.5), pids, io_weight (10-1000); io_device (/dev/sda) with read_bps, "
                "write_bps (20M), read_iops, write_iops.",
                max_length=9,
            ),
        ] = {},  # noqa: B006
        gpu: Literal["", "on", "nvidia", "intel", "amd", "off"] = "",
        volumes_add: Annotated[
            list[str],
            Field(
                description="SOURCE:/target[:ro]; SOURCE ./dir, /dir, a volume, nfs://host/path or cifs://host/share."
            ),
        ] = [],  # noqa: B006
        volumes_remove: Annotated[list[str], Field(description="Targets; the data stays.")] = [],  # noqa: B006
        env_set: Annotated[dict[str, str], Field(description="Non-secret variables.", max_length=40)] = {},  # noqa: B006
        env_unset: list[str] = [],  # noqa: B006
        health: Annotated[
            str, Field(description="Shell command; image: the image's own; off needs health_reason.", max_length=500)
        ] = "",
        health_reason: Line = "",
        replicas: Annotated[int, Field(ge=0, le=20)] = 0,
        restart: Literal["", "no", "always", "on-failure", "unless-stopped"] = "",
        repairs: Annotated[list[str], Field(description="As diagnose offers.")] = [],  # noqa: B006
    ) -> Annotated[CallToolResult, PlanOutput]:
        from homelab_mcp.workflow.propose_changes import propose_update_service

        changes = {
            "tag": tag,
            "subdomain": subdomain,
            "port": port,
            "sso": None if sso == "keep" else sso,
            "sso_reason": sso_reason,
            "resources": resources,
            "limits": limits,
            "gpu": gpu,
            "volumes_add": tuple(volumes_add),
            "volumes_remove": tuple(volumes_remove),
            "env_set": env_set,
            "env_unset": tuple(env_unset),
            "health": health,
            "health_reason": health_reason,
            "replicas": replicas,
            "restart": restart,
            "repairs": tuple(repairs),
        }
        plan = await in_thread(propose_update_service, lab, service, stack, changes, requester(ctx))
        return await plan_result(lab, plan)

    server.add_tool(
        update_service,
        name="update_service",
        title="Plan changing a service",
        description="Plan to change a service that is there, from the catalog or written by hand: what is left empty "
        "stays. Route, dashboard and addresses follow. Changes nothing: returns a plan for apply_plan. Not for "
        "secrets (set_env).",
        annotations=PLAN_ONLY,
    )


def register_move(server: MCPServer[Any], lab: Lab) -> None:
    """Add ``move_service``."""

    @guarded
    async def move_service(
        ctx: Context[Any],
        service: Service,
        to: Annotated[str, Field(description="Stack it goes to, new or existing.", min_length=1, max_length=80)],
        stack: Stack = "",
    ) -> Annotated[CallToolResult, PlanOutput]:
        from homelab_mcp.workflow.propose_changes import propose_move_service

        plan = await in_thread(propose_move_service, lab, service, stack, to, requester(ctx))
        return await plan_result(lab, plan)

    server.add_tool(
        move_service,
        name="move_service",
        title="Plan moving a service",
        description="Plan to move a service to another stack with its companions, .env variables and data folders. "
        "Refused where others of its stack need it. Changes nothing: returns a plan for apply_plan.",
        annotations=PLAN_ONLY,
    )


def register_connect(server: MCPServer[Any], lab: Lab) -> None:
    """Add ``connect_services``."""

    @guarded
    async def connect_services(
        ctx: Context[Any],
        a: Annotated[str, Field(description="Who is to reach the other: service or stack/service.", max_length=160)],
        b: Annotated[str, Field(description="Who is to be reached.", max_length=160)],
        port: Annotated[int, Field(description="Port of b, where nothing says it.", ge=0, le=65535)] = 0,
        network: Annotated[Short, Field(description="Network to share; empty: one that fits.")] = "",
        variables: Annotated[
            dict[str, str], Field(description="For a; {host}, {port}, {url} stand for b's.", max_length=20)
        ] = {},  # noqa: B006
    ) -> Annotated[CallToolResult, PlanOutput]:
        from homelab_mcp.workflow.propose_changes import propose_connect_services

        plan = await in_thread(
            propose_connect_services, lab, a, b, requester(ctx), port=port, network=network, variables=variables
        )
        return await plan_result(lab, plan)

    server.add_tool(
        connect_services,
        name="connect_services",
        title="Plan connecting services",
        description="Plan to let one service reach another by name: a shared network, and variables that say where. "
        "Tells name and port. Changes nothing: returns a plan for apply_plan.",
        annotations=PLAN_ONLY,
    )


def register_permissions(server: MCPServer[Any], lab: Lab) -> None:
    """Add ``fix_permissions``."""

    @guarded
    async def fix_permissions(
        ctx: Context[Any],
        service: Service,
        stack: Stack = "",
        owner: Annotated[str, Field(description="uid:gid; empty: the user it runs as.", max_length=21)] = "",
    ) -> Annotated[CallToolResult, PlanOutput]:
        from homelab_mcp.workflow.propose_changes import propose_fix_permissions

        plan = await in_thread(propose_fix_permissions, lab, service, stack, owner, requester(ctx))
        return await plan_result(lab, plan)

    server.add_tool(
        fix_permissions,
        name="fix_permissions",
        title="Plan giving files to their user",
        description="Plan to give a service's own folders in its stack to the user it runs as. Never follows links; "
        "not for media or other shared folders. Changes nothing: returns a plan for apply_plan.",
        annotations=PLAN_ONLY,
    )


def register_storage(server: MCPServer[Any], lab: Lab) -> None:
    """Add ``check_storage``."""

    @guarded
    async def check_storage(
        ctx: Context[Any],
        service: Annotated[Short, Field(description="One service; empty: all.")] = "",
        stack: Annotated[Short, Field(description="One stack; empty: all.")] = "",
    ) -> Annotated[CallToolResult, StorageOutput]:
        from homelab_mcp.queries.storage import MOST_ROWS
        from homelab_mcp.queries.storage import check_storage as look

        found = await in_thread(look, lab, service, stack)
        return result(fitting(lambda most: StorageOutput(**found.as_dict(most=most)), MOST_ROWS))

    server.add_tool(
        check_storage,
        name="check_storage",
        title="Check storage",
        description="Check the folders that services mount: there, on which disk, room, owner. Use for 'permission "
        "denied', 'disk full' and missing media.",
        annotations=ToolAnnotations(
            read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False
        ),
    )
