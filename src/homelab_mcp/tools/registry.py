"""The list of tools, in the order in which clients see them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from mcp.server import MCPServer

from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.ports import Lab
from homelab_mcp.tools import (
    add_service,
    any_service,
    backup,
    certs,
    change_service,
    diagnose,
    external_route,
    get_env,
    history,
    lab_status,
    plans,
    prompts,
    read_logs,
    remove_service,
    resources,
    review,
    search_catalog,
    seeing,
    set_env,
    set_lazy_loading,
    setup_lab,
    show_platform,
    sign_on,
    start_page,
    updates,
    validate_compose,
    vpn,
)
from homelab_mcp.tools.plan_result import PLAN_ONLY

Register = Callable[[MCPServer[Any], Lab], None]

TOOLSETS: dict[str, tuple[Register, ...]] = {
    "core": (
        search_catalog.register,
        lab_status.register,
        read_logs.register,
        validate_compose.register,
        add_service.register,
        remove_service.register,
        set_env.register,
        plans.register,
    ),
    "ops": (
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
        backup.register_backups,
        backup.register_configure,
        backup.register_run,
        backup.register_restore,
        updates.register_check,
        updates.register_update,
        certs.register_check,
        certs.register_renew,
        get_env.register,
    ),
    "platform": (
        setup_lab.register,
        set_lazy_loading.register,
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
    ),
}
"""Tools by set, in the order in which clients see them; which sets are served is chosen at start and then fixed."""

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
        backup.register_backups,
        diagnose.register_diagnose,
        vpn.register_check,
        certs.register_check,
        get_env.register,
        change_service.register_storage,
        show_platform.register,
    }
)
"""What is left of them in read-only mode: no tool that plans, approves or applies."""


def chosen(words: Sequence[str]) -> tuple[str, ...]:
    """The toolsets of that name, in their fixed order; all where none is named.

    Raises:
        InvalidInput: a name that is none.
    """
    unknown = sorted(set(words) - set(TOOLSETS))
    if unknown:
        raise InvalidInput(
            f"There is no toolset {unknown[0]!r}.", hint=f"Toolsets: {', '.join(TOOLSETS)}.", code="toolset_unknown"
        )
    return tuple(name for name in TOOLSETS if not words or name in words)


def register_all(server: MCPServer[Any], lab: Lab, *, toolsets: Sequence[str] = (), read_only: bool = False) -> None:
    """Add the tools of these sets, and the prompts, to the server."""
    for name in chosen(toolsets):
        for register in TOOLSETS[name]:
            if not read_only or register in READERS:
                register(server, lab)
    prompts.register(server, lab)
    resources.register(server, lab)
    for tool in server._tool_manager.list_tools():
        if tool.annotations is PLAN_ONLY:
            # Every plan tool answers with the same plan, which the server's instructions describe: once is enough.
            tool.fn_metadata.output_schema = None
        # pydantic repeats each field's name as its title: a fifth of the list, read by nobody.
        _drop_titles(tool.parameters)
        if tool.fn_metadata.output_schema is not None:
            _drop_titles(tool.fn_metadata.output_schema)


def _drop_titles(schema: dict[str, Any]) -> None:
    if isinstance(schema.get("title"), str):
        del schema["title"]
    for value in schema.values():
        if isinstance(value, dict):
            _drop_titles(value)
        elif isinstance(value, list):
            for item in value:
                if isinstance(item, dict):
                    _drop_titles(item)
