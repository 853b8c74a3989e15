"""The argument ``host``: in labs with several Docker hosts most tools take it, and none of them knows of it.

A tool that reads gets a lab that is seen through that host (``ports.Lab.on``); for one that plans, what it names must
be there, and the plan is made from the whole lab.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.mcpserver.tools import Tool
from mcp_types import Tool as ListedTool

from homelab_mcp.model.errors import HomelabError, InvalidInput
from homelab_mcp.ports import Lab
from homelab_mcp.tools.shape import in_thread, misnamed, told

ARGUMENT = "host"

READS, PLANS = "Docker host: only what is there.", "Docker host it must be on."
"""Descriptions; every turn pays for them."""


@dataclass(frozen=True, slots=True)
class Takes:
    """How a tool takes ``host``.

    Args:
        stacks, services, plan, groups: as ``queries.on_host.Named`` has them.
        through: whether the tool is given the lab seen through the host; else the whole lab.
        unnamed: that only where nothing is named: what is named is known to be there then.
        plans: whether it is a tool that plans.
    """

    stacks: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    plan: str = ""
    groups: bool = False
    through: bool = False
    unnamed: bool = False
    plans: bool = False

    @property
    def schema(self) -> dict[str, Any]:
        """The argument's."""
        return {"type": "string", "description": PLANS if self.plans else READS}


def _reads(stacks: str = "", services: str = "", *, through: bool = True, unnamed: bool = False) -> Takes:
    return Takes(tuple(stacks.split()), tuple(services.split()), through=through, unnamed=unnamed)


def _plans(
    stacks: str = "", services: str = "", *, unnamed: bool = False, plan: str = "", groups: bool = False
) -> Takes:
    named = tuple(stacks.split()), tuple(services.split())
    return Takes(*named, plan, groups, through=unnamed, unnamed=unnamed, plans=True)


TAKES: Mapping[str, Takes] = {
    "search_catalog": _reads(),
    "lab_status": _reads("stack"),
    "read_logs": _reads("stack", "services"),
    "validate_compose": _reads("stack"),
    # Of one service everything is told, also what it shares with others.
    "diagnose": _reads(services="service", through=False),
    "service_details": _reads("stack", "service", through=False),
    "resource_usage": _reads("stack"),
    "history": _reads(),
    "review_changes": _reads("stack"),
    "audit": _reads("stack"),
    "check_certs": _reads(),
    "get_env": _reads("stack"),
    "check_updates": _reads("stack", "services"),
    "check_vpn": _reads("stack"),
    "check_storage": _reads("stack", "service"),
    "show_platform": _reads(),
    "call_service_api": _reads("stack", "service", unnamed=True),
    "remove_service": _plans("stack", "service"),
    "set_env": _plans("stack"),
    "control_service": _plans("stack", "service"),
    "fix_compose": _plans("stack", unnamed=True),
    "rollback": _plans("stack", plan="plan_id"),
    "resolve_drift": _plans("stack"),
    "update_images": _plans("stack", "services", unnamed=True),
    "set_lazy_loading": _plans("stack", "service"),
    "set_vpn": _plans("stack", "service", unnamed=True),
    "update_service": _plans("stack", "service"),
    "move_service": _plans("stack to", "service"),
    "connect_services": _plans(services="a b"),
    "fix_permissions": _plans("stack", "service"),
    "set_access_policy": _plans(services="services", groups=True),
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
        "restore_backup",
    }
)
"""Tools that have their own way with hosts, whether or not they have the argument."""

WITHOUT: Mapping[str, str] = {
    "get_plan": "a plan says itself what is where",
    "apply_plan": "a plan says itself what is where",
    "renew_certs": "certificates are the one Traefik's, whose names lead to any host",
    "pull_lab": "the repository holds the whole lab",
    "trial_service": "trials run on the lab's own machine",
    "setup_monitoring": "one Prometheus watches all hosts",
    "setup_lab": "settings and core are the whole lab's",
    "change_swarm": "a Swarm has nodes of its own",
    "external_route": "it leads to devices that are no Docker host of the lab",
    "set_homepage": "there is one start page",
    "set_sign_on": "there is one log-in",
    "manage_user": "there is one log-in",
}
"""The tools that do not take it, each with why."""

Register = Callable[[MCPServer[Any], Lab], None]


class HostArgument:
    """Puts the argument into the list of tools, and acts on it.

    Args:
        lab: the lab.
        registers: what adds each tool to a server, by the tool's name.
    """

    def __init__(self, lab: Lab, registers: Mapping[str, Register]) -> None:
        self._lab, self._registers = lab, registers

    async def shown(self, listed: Sequence[ListedTool]) -> list[ListedTool]:
        """The list as this lab's clients are to see it: as it is where there is no other host."""
        from homelab_mcp.queries.on_host import other_hosts

        if not await in_thread(other_hosts, self._lab.files):
            return list(listed)
        return [_with_host(tool) if tool.name in TAKES else tool for tool in listed]

    async def bound(self, tool: Tool, arguments: Mapping[str, Any]) -> tuple[Callable[..., Any], dict[str, Any]]:
        """What runs the tool, and its arguments, for the host that is asked for, if one is.

        Raises:
            ToolError: an argument that the tool does not have, no such host, or what is named is on another.
        """
        given, takes = dict(arguments), tool.name in TAKES
        known = tool.parameters.get("properties", {})
        if wrong := misnamed(tool.name, given, [*known, ARGUMENT] if takes else known):
            raise wrong
        if not takes or not (host := given.pop(ARGUMENT, "")):
            return tool.run, given
        if not isinstance(host, str):
            raise ToolError(f"These arguments do not fit: {ARGUMENT}: not a text. [invalid_arguments]")
        try:
            found, given = await in_thread(self._bound, tool, host, given)
        except HomelabError as error:
            raise ToolError(told(error)) from error
        return found.run, given

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
        if not takes.through or (takes.unnamed and named.any_in(given)):
            return tool, found
        return tool.model_copy(update={"fn": self._function(tool.name, seen)}), found

    def _function(self, name: str, lab: Lab) -> Callable[..., Any]:
        """The tool's own function over another lab."""
        caught = _Caught()
        self._registers[name](caught, lab)  # type: ignore[arg-type] # only what adding a tool asks for
        return caught.functions[name]


def _with_host(tool: ListedTool) -> ListedTool:
    schema = dict(tool.input_schema)
    schema["properties"] = {**schema.get("properties", {}), ARGUMENT: TAKES[tool.name].schema}
    return tool.model_copy(update={"input_schema": schema})


class _Caught:
    """A server to those that add tools to it, which keeps their functions alone."""

    def __init__(self) -> None:
        self.functions: dict[str, Callable[..., Any]] = {}

    def add_tool(self, fn: Callable[..., Any], name: str | None = None, **_: Any) -> None:
        self.functions[name or fn.__name__] = fn

    def resource(self, *_: Any, **__: Any) -> Callable[[Any], Any]:
        return lambda fn: fn
