"""The typer application: every command, in the order in which help shows them."""

from __future__ import annotations

from homelab_mcp.cli import (
    access,
    add,
    agent_test,
    apply,
    approve,
    approver,
    audit,
    backup,
    catalog,
    certs,
    change,
    check,
    connect,
    diagnose,
    doctor,
    drill,
    env,
    external,
    git,
    history,
    homepage,
    host,
    init,
    inventory,
    lazy,
    logs,
    man_page,
    monitoring,
    remove,
    review,
    search,
    seeing,
    serve,
    status,
    survives,
    swarm,
    token,
    trial,
    updates,
    user,
    vpn,
)
from homelab_mcp.cli import any_service as any_service_command
from homelab_mcp.cli import api as api_command
from homelab_mcp.cli import approvals as approvals_command
from homelab_mcp.cli import plan as plan_command
from homelab_mcp.cli import policy as policy_command
from homelab_mcp.cli import rules as rules_command
from homelab_mcp.cli import validate as validate_command
from homelab_mcp.cli import vault as vault_command
from homelab_mcp.cli.frame import new_app, run_app

app = new_app()


for module in (
    init,
    search,
    catalog,
    add,
    any_service_command,
    remove,
    change,
    validate_command,
    rules_command,
    status,
    logs,
    diagnose,
    seeing,
    host,
    env,
    certs,
    user,
    access,
    homepage,
    lazy,
    external,
    git,
    vpn,
    plan_command,
    policy_command,
    approve,
    approvals_command,
    approver,
    apply,
    history,
    backup,
    updates,
    trial,
    api_command,
    monitoring,
    inventory,
    review,
    vault_command,
    serve,
    connect,
    agent_test,
    token,
    doctor,
    audit,
    survives,
    drill,
    swarm,
    check,
    man_page,
):
    module.register(app)


def main() -> None:
    """Run the command line; errors end with one message on stderr and an exit code."""
    run_app(app)
