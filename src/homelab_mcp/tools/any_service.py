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

Short = Annotated[str, Field(max_length=80)]
Line = Annotated[str, Field(max_length=300)]
Sso = Annotated[Literal["default", "protect", "bypass"], Field(description="bypass needs sso_reason.")]


def register_custom(server: MCPServer[Any], lab: Lab) -> None:
    """Add the tool ``add_custom_service`` to the server."""

    @guarded
    async def add_custom_service(
        ctx: Context[Any],
        name: Annotated[str, Field(min_length=1, max_length=63)],
        image: Annotated[str, Field(description="With its tag.", min_length=1, max_length=300)],
        stack: Annotated[Short, Field(description="Empty: a stack of its own.")] = "",
        port: Annotated[int, Field(description="Container port of its page; 0: by the image.", ge=0, le=65535)] = 0,
        volumes: Annotated[
            list[str],
            Field(description="/data, NAME:/data, media:/x, downloads:/x, /host:/x; :ro may follow.", max_length=20),
        ] = [],  # noqa: B006
        environment: Annotated[dict[str, str], Field(description="Non-secret settings.", max_length=60)] = {},  # noqa: B006
        generate: Annotated[list[str], Field(description="Variables that get a new secret.", max_length=20)] = [],  # noqa: B006
        ask: Annotated[list[str], Field(description="Variables whose secret a person sets.", max_length=20)] = [],  # noqa: B006
        publish: Annotated[
            list[str], Field(description="HOST:CONTAINER[/udp], only for what is no web page.", max_length=20)
        ] = [],  # noqa: B006
        command: Annotated[str, Field(max_length=2000)] = "",
        user: Annotated[Short, Field(description="UID[:GID], or lab.")] = "",
        health: Annotated[Line, Field(description="Command that fails when it is ill.")] = "",
        subdomain: Short = "",
        sso: Sso = "default",
        sso_reason: Line = "",
        resources: Literal["tiny", "web", "database", "media", "downloader", "heavy", "monitoring"] = "web",
        gpu: Literal["", "nvidia", "vaapi"] = "",
        title: Short = "",
        icon: Short = "",
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
            "user": user,
            "health": health,
            "subdomain": subdomain,
            "sso": "" if sso == "default" else sso,
            "sso_reason": sso_reason,
            "resources": resources,
            "gpu": gpu,
            "title": title,
            "icon": icon,
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
        text: Annotated[
            str, Field(description="Compose YAML or a docker run command, whole.", min_length=3, max_length=100_000)
        ],
        stack: Annotated[Short, Field(description="Empty: a stack of its own.")] = "",
        main: Annotated[Short, Field(description="Service that name, port, subdomain are about.")] = "",
        name: Short = "",
        port: Annotated[int, Field(description="Container port of its page; 0: found out.", ge=0, le=65535)] = 0,
        subdomain: Short = "",
        sso: Sso = "default",
        sso_reason: Annotated[str, Field(max_length=200)] = "",
        volumes: Annotated[
            Literal["folders", "keep"], Field(description="Named volumes become folders, or stay.")
        ] = "folders",
        variables: Annotated[
            dict[str, str], Field(description="Non-secret values of ${NAME} in the text.", max_length=60)
        ] = {},  # noqa: B006
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
