"""The argument ``host``: in labs with several Docker hosts most tools take it, and none of them knows of it.

A tool that reads gets a lab that is seen through that host (``ports.Lab.on``); for one that plans, what it names must
be there, and the plan is made from the whole lab.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.mcpserver.tools import Tool
from mcp_types import CallToolResult, InputRequiredResult
from mcp_types import Tool as ListedTool

from homelab_mcp.model.errors import HomelabError, InvalidInput, storage_failed
from homelab_mcp.model.token import Scope
from homelab_mcp.ports import Lab
from homelab_mcp.tools.access import SCOPES
from homelab_mcp.tools.shape import in_thread, misnamed, told, unforeseen

ARGUMENT = "host"

READS, PLANS = "Docker host: only what is there.", "Docker host it must be on."
"""Descriptions; every turn pays for them."""


@dataclass(frozen=True, slots=True)
class Takes:
    """How a tool takes ``host``.

    Args:
        stacks, services, plan, groups: as ``queries.on_host.Named`` has them.
        through: whether it is given the lab seen through the host; else the whole lab, once what is named is there.
    """

    stacks: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    plan: str = ""
    groups: bool = False
    through: bool = False


def _through(*stacks: str, services: str = "") -> Takes:
    return Takes(stacks, (services,) if services else (), through=True)


_STACK = Takes(("stack",))
_SERVICE = Takes(("stack",), ("service",))

TAKES: Mapping[str, Takes] = {
    "search_catalog": _through(),
    "lab_status": _through("stack"),
    "read_logs": _through("stack", services="services"),
    "validate_compose": _through("stack"),
    "resource_usage": _through("stack"),
    "history": _through(),
    "review_changes": _through("stack"),
    "audit": _through("stack"),
    "check_certs": _through(),
    "get_env": _through("stack"),
    "check_updates": _through("stack", services="services"),
    "check_vpn": _through("stack"),
    "check_storage": _through("stack", services="service"),
    "show_platform": _through(),
    "call_service_api": _through("stack", services="service"),
    "fix_compose": _through("stack"),
    "update_images": _through("stack", services="services"),
    "set_vpn": _through("stack", services="service"),
    # Of one service everything is told, also what it shares with others.
    "diagnose": Takes(services=("service",)),
    "service_details": _SERVICE,
    "remove_service": _SERVICE,
    "control_service": _SERVICE,
    "set_lazy_loading": _SERVICE,
    "update_service": _SERVICE,
    "fix_permissions": _SERVICE,
    "move_service": Takes(("stack", "to"), ("service",)),
    "set_env": _STACK,
    "resolve_drift": _STACK,
    "rollback": Takes(("stack",), plan="plan_id"),
    "restore_backup": Takes(("target", "path"), ("target",)),
    "connect_services": Takes(services=("a", "b")),
    "set_access_policy": Takes(services=("services",), groups=True),
}
"""The tools that take ``host`` once the lab has another."""

OF_THEIR_OWN = frozenset(
    {
        "add_service",
        "add_custom_service",
        "import_service",
        "host_health",
        "backups",
        "configure_backup",
        "run_backup",
    }
)
"""Tools that have their own way with hosts, whether or not they have the argument."""

WITHOUT: Mapping[str, str] = {
    "get_plan": "a plan says itself what is where",
    "apply_plan": "a plan says itself what is where",
    "renew_certs": "one Traefik gets the certificates for all hosts",
    "pull_lab": "the repository holds the whole lab",
    "trial_service": "trials run on the lab's own machine",
    "setup_monitoring": "one Prometheus watches all hosts",
    "setup_lab": "settings and core are the whole lab's",
    "change_swarm": "the one Swarm has nodes of its own",
    "external_route": "such a route leads to what is no Docker host of the lab",
    "set_homepage": "there is one start page",
    "set_sign_on": "there is one log-in",
    "manage_user": "there is one log-in",
}
"""The tools that do not take it, each with why."""

Register = Callable[[MCPServer[Any], Lab], None]
Run = Callable[[], Awaitable[CallToolResult | InputRequiredResult]]


class HostArgument:
    """Puts the argument into the list of tools where there are hosts to name, and acts on it.

    Args:
        lab: the lab.
        registers: what adds each tool to a server, by the tool's name.
    """

    def __init__(self, lab: Lab, registers: Mapping[str, Register]) -> None:
        self._lab, self._registers = lab, registers

    async def shown(self, listed: Sequence[ListedTool]) -> list[ListedTool]:
        """The list as this lab's clients are to see it: no tool speaks of hosts where there is no other."""
        from homelab_mcp.queries.other_hosts import other_hosts

        if not await in_thread(other_hosts, self._lab.files):
            return [_without_host(tool) if tool.name in OF_THEIR_OWN else tool for tool in listed]
        return [_with_host(tool) if tool.name in TAKES else tool for tool in listed]

    async def bound(self, tool: Tool, arguments: Mapping[str, Any], context: Context[Any, Any]) -> Run:
        """What runs the tool with these arguments, for the host that is asked for, if one is.

        Raises:
            ToolError: an argument that the tool does not have, no such host, or what is named is on another.
        """
        given, takes = dict(arguments), tool.name in TAKES
        if ARGUMENT in given and (why := WITHOUT.get(tool.name)):
            raise ToolError(f"{tool.name} takes no host, as {why}. Leave it out. [invalid_arguments]")
        known = tool.parameters.get("properties", {})
        if wrong := misnamed(tool.name, given, [*known, ARGUMENT] if takes else known):
            raise wrong
        host = given.pop(ARGUMENT, None) if takes else None
        if host is not None and not isinstance(host, str):
            raise ToolError(f"These arguments do not fit: {ARGUMENT}: not a text. [invalid_arguments]")
        if not host:
            return partial(tool.run, given, context, convert_result=True)
        try:
            found, given = await in_thread(self._bound, tool, host, given)
        except HomelabError as error:
            raise ToolError(told(error)) from error
        except OSError as error:
            raise ToolError(told(storage_failed(error, "A file of the lab"))) from error
        except Exception as error:
            # As for a tool itself: the text of what nobody foresaw goes to the log alone.
            raise unforeseen(tool.name) from error
        return partial(found.run, given, context, convert_result=True)

    def _bound(self, tool: Tool, host: str, given: dict[str, Any]) -> tuple[Tool, dict[str, Any]]:
        from homelab_mcp.queries.on_host import Named, lab_on, placed

        takes = TAKES[tool.name]
        seen = lab_on(self._lab, host)
        if not seen.seen:
            return tool, given
        named = Named(takes.stacks, takes.services, takes.plan, takes.groups)
        if not (takes.through or named.any_in(given)):
            raise InvalidInput(
                f"Nothing was named that could be on host {host}.",
                hint=f"{tool.name} needs a name.",
                code="invalid_input",
            )
        found = placed(seen, named, given)
        if not takes.through:
            return tool, found
        return tool.model_copy(update={"fn": self._function(tool.name, seen)}), found

    def _function(self, name: str, lab: Lab) -> Callable[..., Any]:
        """The tool's own function over another lab."""
        caught = _Caught()
        self._registers[name](caught, lab)  # type: ignore[arg-type] # only what adding a tool asks for
        return caught.functions[name]


def _with_host(tool: ListedTool) -> ListedTool:
    schema, told_of = dict(tool.input_schema), READS if SCOPES[tool.name] is Scope.READ else PLANS
    schema["properties"] = {**schema.get("properties", {}), ARGUMENT: {"type": "string", "description": told_of}}
    return tool.model_copy(update={"input_schema": schema})


def _without_host(tool: ListedTool) -> ListedTool:
    schema = dict(tool.input_schema)
    schema["properties"] = {k: v for k, v in schema.get("properties", {}).items() if k != ARGUMENT}
    return tool.model_copy(update={"input_schema": schema})


class _Caught:
    """A server to those that add tools to it, which keeps their functions alone."""

    def __init__(self) -> None:
        self.functions: dict[str, Callable[..., Any]] = {}

    def add_tool(self, fn: Callable[..., Any], name: str | None = None, **_: Any) -> None:
        self.functions[name or fn.__name__] = fn

    def resource(self, *_: Any, **__: Any) -> Callable[[Any], Any]:
        return lambda fn: fn
