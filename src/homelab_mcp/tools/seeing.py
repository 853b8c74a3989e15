"""Tools ``service_details``, ``resource_usage`` and ``host_health``."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from mcp.server import MCPServer
from mcp_types import CallToolResult, ToolAnnotations
from pydantic import BaseModel, ConfigDict, Field

from homelab_mcp.ports import Lab
from homelab_mcp.tools.shape import guarded, in_thread, result

_READS = ToolAnnotations(read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False)


class DetailsOutput(BaseModel):
    """In sentences, and in parts."""

    model_config = ConfigDict(extra="allow")

    service: str
    explained: list[str]


class UsageOutput(BaseModel):
    """The greediest first."""

    model_config = ConfigDict(extra="allow")

    services: list[dict[str, Any]]
    trouble: list[str]
    growing: list[str]


class HostOutput(BaseModel):
    """What is not well first."""

    model_config = ConfigDict(extra="allow")

    findings: list[dict[str, str]]


def register_details(server: MCPServer[Any], lab: Lab) -> None:
    """Add ``service_details`` to the server."""

    @guarded
    async def service_details(
        service: Annotated[str, Field(min_length=1, max_length=120)],
        stack: Annotated[str, Field(max_length=80)] = "",
    ) -> Annotated[CallToolResult, DetailsOutput]:
        from homelab_mcp.queries import service_details as query

        return result(DetailsOutput(**await in_thread(query.service_details, lab, service, stack)))

    server.add_tool(
        service_details,
        name="service_details",
        title="Explain a service",
        description="One service's configuration, explained: routes and log-in, ports, networks and who shares them, "
        "mounts, variable names, limits, health check, dependencies, backup notes.",
        annotations=_READS,
    )


def register_usage(server: MCPServer[Any], lab: Lab) -> None:
    """Add ``resource_usage`` to the server."""

    @guarded
    async def resource_usage(
        stack: Annotated[str, Field(max_length=80)] = "",
        sort: Literal["memory", "cpu", "pids", "network", "disk"] = "memory",
        top: Annotated[int, Field(ge=1, le=40)] = 10,
        hours: Annotated[int, Field(description="Also what was sampled in these.", ge=0, le=240)] = 0,
    ) -> Annotated[CallToolResult, UsageOutput]:
        from homelab_mcp.queries import resource_usage as query

        return result(
            UsageOutput(**await in_thread(query.resource_usage, lab, stack=stack, sort=sort, top=top, hours=hours))
        )

    server.add_tool(
        resource_usage,
        name="resource_usage",
        title="What services use",
        description="Memory, CPU, network and disk of services now, sorted; growth like a leak, OOM kills, restart "
        "loops.",
        annotations=_READS,
    )


def register_host(server: MCPServer[Any], lab: Lab) -> None:
    """Add ``host_health`` to the server."""

    @guarded
    async def host_health(
        find: Annotated[
            str, Field(description="Only processes with this in name or command line.", max_length=80)
        ] = "",
        top: Annotated[int, Field(description="Processes shown.", ge=1, le=30)] = 8,
        host: Annotated[str, Field(description="Another Docker host's engine, or all.", max_length=40)] = "",
    ) -> Annotated[CallToolResult, HostOutput]:
        from homelab_mcp.queries import host_health as query

        return result(HostOutput(**await in_thread(query.host_health, lab, top=top, find=find, host=host)))

    server.add_tool(
        host_health,
        name="host_health",
        title="Health of the host",
        description="The machine: load, memory, disks and Docker's share, inodes, stuck and top processes, clock, DNS, "
        "updates due.",
        annotations=_READS,
    )
