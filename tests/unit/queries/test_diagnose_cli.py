"""The command that a person types for what a remedy's tool call plans."""

from __future__ import annotations

from typing import Any

import pytest

from homelab_mcp.cli.diagnose import command

APP = {"stack": "apps", "service": "app"}


@pytest.mark.parametrize(
    ("tool", "given", "typed"),
    [
        ("control_service", {"action": "start", **APP}, "homelab-mcp start apps/app"),
        ("set_env", {"stack": "apps", "generate": ["K"]}, "homelab-mcp env set apps K --generate"),
        ("set_env", {"stack": "apps", "values": {"URL": "VALUE"}}, "homelab-mcp env set apps URL"),
        ("update_service", {**APP, "port": 80}, "homelab-mcp update app --stack apps --port 80"),
        (
            "update_service",
            {**APP, "limits": {"memory": "64M"}},
            "homelab-mcp update app --stack apps --limit memory=64M",
        ),
        (
            "update_service",
            {**APP, "repairs": ["unpublish:80", "rename_host:db>data"]},
            "homelab-mcp update app --stack apps --repair unpublish:80 --repair 'rename_host:db>data'",
        ),
        (
            "update_service",
            {**APP, "sso": "bypass", "sso_reason": "It is the log-in."},
            "homelab-mcp update app --stack apps --sso bypass --sso-reason 'It is the log-in.'",
        ),
        ("fix_permissions", {**APP, "owner": "1:2"}, "homelab-mcp fix-permissions app --stack apps --owner 1:2"),
        ("connect_services", {"a": "x/a", "b": "y/b"}, "homelab-mcp connect-services x/a y/b"),
        ("rollback", {"plan_id": "p1"}, "homelab-mcp rollback p1"),
        ("diagnose", {"service": "apps/db"}, "homelab-mcp diagnose apps/db"),
    ],
)
def test_each_remedy_has_its_command(tool: str, given: dict[str, Any], typed: str) -> None:
    assert command({"what": "x", "tool": tool, "arguments": given}) == typed
