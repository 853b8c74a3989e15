"""What a bearer token lets its client call, by tool."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError

from homelab_mcp.model.token import Scope, Token

SCOPES: Mapping[str, Scope] = {
    "search_catalog": Scope.READ,
    "lab_status": Scope.READ,
    "read_logs": Scope.READ,
    "service_details": Scope.READ,
    "resource_usage": Scope.READ,
    "host_health": Scope.READ,
    "validate_compose": Scope.READ,
    "history": Scope.READ,
    "review_changes": Scope.READ,
    "check_vpn": Scope.READ,
    "diagnose": Scope.READ,
    "control_service": Scope.PLAN,
    "check_certs": Scope.READ,
    "get_env": Scope.READ,
    "renew_certs": Scope.PLAN,
    "pull_lab": Scope.PLAN,
    "get_plan": Scope.READ,
    "add_service": Scope.PLAN,
    "remove_service": Scope.PLAN,
    "set_env": Scope.PLAN,
    "rollback": Scope.PLAN,
    "fix_compose": Scope.PLAN,
    "resolve_drift": Scope.PLAN,
    "setup_lab": Scope.PLAN,
    "add_custom_service": Scope.PLAN,
    "import_service": Scope.PLAN,
    "external_route": Scope.PLAN,
    "set_lazy_loading": Scope.PLAN,
    "set_vpn": Scope.PLAN,
    "update_service": Scope.PLAN,
    "move_service": Scope.PLAN,
    "change_swarm": Scope.PLAN,
    "connect_services": Scope.PLAN,
    "fix_permissions": Scope.PLAN,
    "check_storage": Scope.READ,
    "show_platform": Scope.READ,
    "audit": Scope.READ,
    "set_access_policy": Scope.PLAN,
    "manage_user": Scope.PLAN,
    "set_sign_on": Scope.PLAN,
    "set_homepage": Scope.PLAN,
    "backups": Scope.READ,
    "configure_backup": Scope.PLAN,
    "run_backup": Scope.PLAN,
    "restore_backup": Scope.PLAN,
    "check_updates": Scope.READ,
    "update_images": Scope.PLAN,
    "trial_service": Scope.PLAN,
    "setup_monitoring": Scope.PLAN,
    "call_service_api": Scope.PLAN,
    "apply_plan": Scope.APPLY,
}
"""The scope that each tool needs. One that is not named here is open to no token."""

TOKEN_KEY = "homelab_mcp.token"  # noqa: S105 - a name
"""Where the HTTP server leaves the request's token: in the ASGI scope, which no client can write."""


READ_REFUSED = (
    "This client's token does not let it read. A person can make one that does, with `homelab-mcp token create`. "
    "[insufficient_scope]"
)


def token_of(context: Context[Any, Any]) -> Token | None:
    """The token that came with this very request; None over stdio, and over HTTP without tokens."""
    try:
        return token_in(context.request_context.request)
    except ValueError:  # a call within the process, outside of any request
        return None


def token_in(request: object) -> Token | None:
    """The token that the HTTP server left in a request."""
    found = getattr(request, "scope", {}).get(TOKEN_KEY)
    return found if isinstance(found, Token) else None


def may_call(tool: str, scopes: Collection[Scope]) -> bool:
    """Whether these scopes let a client call the tool."""
    needed = SCOPES.get(tool)
    return needed is not None and needed in scopes


def require(tool: str, token: Token) -> None:
    """Raises ToolError (insufficient_scope) when the token does not let its client call the tool."""
    if may_call(tool, token.scopes):
        return
    needed = SCOPES.get(tool)
    lacking = f"scope {needed}" if needed else "a scope that any token has"
    raise ToolError(
        f"The token {token.name} does not let its client call {tool}: that needs {lacking}. A person can make one with "
        "`homelab-mcp token create`; nothing else helps. [insufficient_scope]"
    )
