"""Tools ``add_custom_service`` and ``import_service``."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp_types import CallToolResult
from pydantic import Field

from homelab_mcp.ports import Lab
from homelab_mcp.tools.plan_result import PLAN_ONLY, PlanOutput, plan_result
from homelab_mcp.tools.shape import guarded, in_thread, requester

Sso = Annotated[Literal["default", "protect", "bypass"], Field(description="bypass needs sso_reason.")]
Host = Annotated[str, Field(description="Docker host of a new stack.", max_length=80)]


def register_custom(server: MCPServer[Any], lab: Lab) -> None:
    """Add the tool ``add_custom_service`` to the server."""

    @guarded
    async def add_custom_service(
        ctx: Context[Any],
        name: str,
        image: Annotated[str, Field(description="With its tag.")],
        stack: Annotated[str, Field(description="Empty: a stack of its own.")] = "",
        port: Annotated[int, Field(description="Container port of its page; 0: by the image.")] = 0,
        volumes: Annotated[
            list[str],
            Field(description="/data, NAME:/data, media:/x, downloads:/x, /host:/x; :ro may follow."),
        ] = [],  # noqa: B006
        environment: Annotated[dict[str, str], Field(description="Non-secret settings.")] = {},  # noqa: B006
        generate: Annotated[list[str], Field(description="Variables that get a new secret.")] = [],  # noqa: B006
        ask: Annotated[list[str], Field(description="Variables whose secret a person sets.")] = [],  # noqa: B006
        publish: Annotated[list[str], Field(description="HOST:CONTAINER[/udp], only for what is no web page.")] = [],  # noqa: B006
        command: str = "",
        health: Annotated[str, Field(description="Command that fails when it is ill.")] = "",
        subdomain: str = "",
        sso: Sso = "default",
        sso_reason: str = "",
        resources: Literal["tiny", "web", "database", "media", "downloader", "heavy", "monitoring"] = "web",
        gpu: Literal["", "nvidia", "vaapi"] = "",
        host: Host = "",
    ) -> Annotated[CallToolResult, PlanOutput]:
        from homelab_mcp.workflow.propose_any import propose_custom

        values: dict[str, Any] = {
            "name": name,
            "image": image,
            "stack": stack,
            "port": port,
            "volumes": volumes,
            "environment": environment,
            "generate": generate,
            "ask": ask,
            "publish": publish,
            "command": command,
            "health": health,
            "subdomain": subdomain,
            "sso": "" if sso == "default" else sso,
            "sso_reason": sso_reason,
            "resources": resources,
            "gpu": gpu,
            "host": host,
        }
        return await plan_result(lab, await in_thread(propose_custom, lab, values, requester(ctx)))

    server.add_tool(
        add_custom_service,
        name="add_custom_service",
        title="Plan adding any image",
        description="Plan to add a Docker image that the catalog lacks (search_catalog first), with the same route, "
        "log-in, limits and secrets in .env as catalog services. For a compose text or docker run line use "
        "import_service. Never pass secrets. Changes nothing: returns a plan for apply_plan.",
        annotations=PLAN_ONLY,
    )


def register_import(server: MCPServer[Any], lab: Lab) -> None:
    """Add the tool ``import_service`` to the server."""

    @guarded
    async def import_service(
        ctx: Context[Any],
        text: Annotated[str, Field(description="Compose YAML or a docker run command, whole.")],
        stack: Annotated[str, Field(description="Empty: a stack of its own.")] = "",
        main: Annotated[str, Field(description="Service that name, port, subdomain are about.")] = "",
        name: str = "",
        port: Annotated[int, Field(description="Container port of its page; 0: found out.")] = 0,
        subdomain: str = "",
        sso: Sso = "default",
        sso_reason: str = "",
        volumes: Annotated[
            Literal["folders", "keep"], Field(description="Named volumes become folders, or stay.")
        ] = "folders",
        variables: Annotated[dict[str, str], Field(description="Non-secret values of ${NAME} in the text.")] = {},  # noqa: B006
        host: Host = "",
    ) -> Annotated[CallToolResult, PlanOutput]:
        from homelab_mcp.workflow.propose_any import propose_import

        values: dict[str, Any] = {
            "text": text,
            "stack": stack,
            "main": main,
            "name": name,
            "port": port,
            "subdomain": subdomain,
            "sso": "" if sso == "default" else sso,
            "sso_reason": sso_reason,
            "volumes": volumes,
            "variables": variables,
            "host": host,
        }
        return await plan_result(lab, await in_thread(propose_import, lab, values, requester(ctx)))

    server.add_tool(
        import_service,
        name="import_service",
        title="Plan taking over compose text or docker run",
        description="Plan to take over services from a pasted compose text or docker run command, put to the lab's "
        "conventions (route, log-in, limits, networks, secrets to .env). The plan's notes say what was changed and "
        "what could not be carried over. Changes nothing: returns a plan for apply_plan.",
        annotations=PLAN_ONLY,
    )
