"""homelab-mcp: lets an AI run a Docker Compose homelab, with a person's yes before every change."""

from __future__ import annotations

__version__ = "0.1.0"
