"""The list of tools, in the order in which clients see them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

from mcp.server import MCPServer
from mcp.server.mcpserver.tools import Tool

from homelab_mcp.ports import Lab
from homelab_mcp.tools import (
    add_service,
    any_service,
    audit,
    backup,
    certs,
    change_service,
    change_swarm,
    diagnose,
    external_route,
    get_env,
    git_sync,
    history,
    lab_resources,
    lab_status,
    monitoring,
    plans,
    prompts,
    read_logs,
    remove_service,
    resources,
    review,
    search_catalog,
    seeing,
    service_api,
    set_env,
    set_lazy_loading,
    setup_lab,
    show_platform,
    sign_on,
    start_page,
    trial,
    updates,
    validate_compose,
    vpn,
)
from homelab_mcp.tools.host_argument import HostArgument, Register
from homelab_mcp.tools.toolsets import ALL_WORD, chosen

TOOLS: tuple[Register, ...] = (
    search_catalog.register,
    lab_status.register,
    read_logs.register,
    validate_compose.register,
    add_service.register,
    remove_service.register,
    set_env.register,
    plans.register,
    diagnose.register_diagnose,
    diagnose.register_control,
    validate_compose.register_fix,
    seeing.register_details,
    seeing.register_usage,
    seeing.register_host,
    history.register_history,
    history.register_rollback,
    review.register_review,
    review.register_resolve,
    git_sync.register,
    audit.register,
    certs.register_check,
    certs.register_renew,
    get_env.register,
    backup.register_backups,
    backup.register_configure,
    backup.register_run,
    backup.register_restore,
    updates.register_check,
    updates.register_update,
    trial.register,
    monitoring.register,
    service_api.register,
    setup_lab.register,
    set_lazy_loading.register,
    change_swarm.register,
    any_service.register_custom,
    any_service.register_import,
    external_route.register,
    vpn.register_set,
    vpn.register_check,
    change_service.register_update,
    change_service.register_move,
    change_service.register_connect,
    change_service.register_permissions,
    change_service.register_storage,
    show_platform.register,
    sign_on.register_access,
    sign_on.register_user,
    sign_on.register_sign_on,
    start_page.register,
)
"""All tools, in the order in which clients see them; ``toolsets`` says which of them a server offers."""

READERS: frozenset[Register] = frozenset(
    {
        updates.register_check,
        search_catalog.register,
        lab_status.register,
        read_logs.register,
        validate_compose.register,
        seeing.register_details,
        seeing.register_usage,
        seeing.register_host,
        history.register_history,
        review.register_review,
        diagnose.register_diagnose,
        backup.register_backups,
        vpn.register_check,
        certs.register_check,
        get_env.register,
        change_service.register_storage,
        show_platform.register,
        audit.register,
    }
)
"""What is left of them in read-only mode: no tool that plans, approves or applies."""


def register_all(
    server: MCPServer[Any], lab: Lab, *, toolsets: Sequence[str] = (ALL_WORD,), read_only: bool = False
) -> tuple[tuple[str, ...], HostArgument]:
    """Add the tools of these sets, prompts and resources to the server.

    Returns the names of tools left out by choice, and what gives the others their ``host``.

    Raises:
        InvalidInput: a toolset that is none.
    """
    choice = _Choice(server, chosen(toolsets))
    for register in TOOLS:
        if not read_only or register in READERS:
            choice.now = register
            register(cast("MCPServer[Any]", choice), lab)
    prompts.register(server, lab)
    resources.register(server, lab)
    lab_resources.register(server, lab)
    for tool in server._tool_manager.list_tools():
        _slim(tool)
    return tuple(choice.left_out), HostArgument(lab, choice.added_by)


class _Choice:
    """The server to those that add tools to it, which takes these names alone.

    To leave a tool out before its schemas are made saves a start what taking it out afterwards would cost: two
    hundredths of a second each.
    """

    def __init__(self, server: MCPServer[Any], names: frozenset[str] | None) -> None:
        self._server, self._names = server, names
        self.left_out: list[str] = []
        self.now: Register = TOOLS[0]
        self.added_by: dict[str, Register] = {}

    def add_tool(self, fn: Callable[..., Any], name: str | None = None, **options: Any) -> None:
        """As the SDK's, for the names that are taken."""
        known = name or fn.__name__
        if self._names is None or known in self._names:
            self._server.add_tool(fn, name=name, **options)
            self.added_by[known] = self.now
        else:
            self.left_out.append(known)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._server, name)


def _slim(tool: Tool) -> None:
    """Take out of a tool's schemas what costs tokens and tells a model nothing."""
    # Models are not shown output schemas, clients may do without, and all answers together would double the list.
    # A plan's is shown once, with get_plan: all plan tools answer with it.
    if tool.name != "get_plan":
        tool.fn_metadata.output_schema = None
    _drop_unread(tool.parameters)
    if tool.fn_metadata.output_schema is not None:
        _drop_unread(tool.fn_metadata.output_schema)


def _drop_unread(schema: dict[str, Any]) -> None:
    # pydantic repeats each field's name as its title: a fifth of the list, read by nobody. A count of properties some
    # models' APIs refuse; it is held when the tool is called.
    for word, kind in (("title", str), ("maxProperties", int)):
        if isinstance(schema.get(word), kind):
            del schema[word]
    for value in schema.values():
        if isinstance(value, dict):
            _drop_unread(value)
        elif isinstance(value, list):
            for item in value:
                if isinstance(item, dict):
                    _drop_unread(item)
