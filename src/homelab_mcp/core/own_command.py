"""The command that answers a plan, as a person types it: with the lab's folder where it is not the usual one."""

from __future__ import annotations

import shlex

USUAL_ROOT = "/opt/stacks"
"""Where the command looks for a lab that nobody names (``opening.kept.DEFAULT_ROOT``)."""


def approve_command(root: str, plan_id: str, *options: str) -> str:
    """``homelab-mcp approve ID``; who runs it in another shell knows no ``HOMELAB_ROOT`` of the server's.

    Args:
        root: the lab's folder; "" where nobody says.
        plan_id: the plan's.
        options: of ``approve``.
    """
    where = () if root in ("", USUAL_ROOT) else ("--root", root)
    return shlex.join(("homelab-mcp", *where, "approve", *options, plan_id))
