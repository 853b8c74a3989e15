"""Which tools belong together, and which are offered when nobody chooses: every token of the list is paid each turn.

By name, so that a tool's place is decided here whether or not this version has the tool yet.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from homelab_mcp.model.errors import InvalidInput

DEFAULT_WORD = "default"
ALL_WORD = "all"

TOOLSETS: Mapping[str, tuple[str, ...]] = {
    "core": (
        "search_catalog",
        "lab_status",
        "read_logs",
        "validate_compose",
        "diagnose",
        "add_service",
        "update_service",
        "remove_service",
        "control_service",
        "set_env",
        "get_plan",
        "apply_plan",
        "history",
        "rollback",
    ),
    "ops": (
        "fix_compose",
        "review_changes",
        "resolve_drift",
        "pull_lab",
        "service_details",
        "resource_usage",
        "host_health",
        "check_certs",
        "renew_certs",
        "get_env",
        "check_updates",
        "update_images",
        "backups",
        "configure_backup",
        "run_backup",
        "restore_backup",
        "audit",
        "trial_service",
        "setup_monitoring",
        "call_service_api",
    ),
    "platform": (
        "setup_lab",
        "add_custom_service",
        "import_service",
        "move_service",
        "connect_services",
        "set_lazy_loading",
        "change_swarm",
        "set_vpn",
        "check_vpn",
        "external_route",
        "set_homepage",
        "check_storage",
        "fix_permissions",
    ),
    "admin": ("show_platform", "set_sign_on", "set_access_policy", "manage_user"),
}
"""Every tool's set: daily work, keeping a lab healthy, shaping it, and people and their rights."""

WITH_EVERY_SET = frozenset({"get_plan", "apply_plan"})
"""What every choice needs, since any set's changes are plans."""

DEFAULT: tuple[str, ...] = (
    *TOOLSETS["core"],
    "fix_compose",
    "review_changes",
    "resolve_drift",
    "resource_usage",
    "check_certs",
    "renew_certs",
    "check_updates",
    "update_images",
    "backups",
    "configure_backup",
    "audit",
    "setup_lab",
    "set_lazy_loading",
    "set_vpn",
    "set_access_policy",
)
"""Offered when nobody chooses: what most labs are asked for, within 30 tools, 8,000 tokens and 32 KB."""


def chosen(words: Sequence[str]) -> frozenset[str] | None:
    """The names of the tools to offer; None for all of them.

    Args:
        words: toolsets, ``default`` or ``all``; none means ``default``.

    Raises:
        InvalidInput: a word that is none of these (code ``toolset_unknown``).
    """
    unknown = sorted(set(words) - {*TOOLSETS, DEFAULT_WORD, ALL_WORD})
    if unknown:
        raise InvalidInput(
            f"There is no toolset {unknown[0]!r}.",
            hint=f"Toolsets: {', '.join(TOOLSETS)}, {DEFAULT_WORD}, {ALL_WORD}.",
            code="toolset_unknown",
        )
    if ALL_WORD in words:
        return None
    names = set(WITH_EVERY_SET)
    for word in words or (DEFAULT_WORD,):
        names.update(DEFAULT if word == DEFAULT_WORD else TOOLSETS[word])
    return frozenset(names)
