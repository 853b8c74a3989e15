"""``python -m homelab_mcp``."""

from __future__ import annotations

from homelab_mcp.cli.main import run

if __name__ == "__main__":
    run()
