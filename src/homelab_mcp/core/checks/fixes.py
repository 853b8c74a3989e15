"""Fixes for findings, by rule."""

from __future__ import annotations

from homelab_mcp.core.checks.view import Lab
from homelab_mcp.model.finding import Finding, Fix


def fix_for(lab: Lab, finding: Finding) -> Fix | None:
    """The change that settles a finding, None where no edit is known to."""
    return None
