"""``homelab-mcp``: the command tree.

Exit codes: 0 done; 1 refused or failed, or an error-level finding; 2 usage, or it could not run; 3 a plan waits for
a person's approval; 4 applied, found bad, and rolled back.
"""

from __future__ import annotations

import sys


def run() -> None:
    """Entry point of the ``homelab-mcp`` command."""
    if sys.argv[1:] in (["--version"], ["-V"]):
        # Asked by scripts and shells at every turn: answered before anything heavy is imported.
        from homelab_mcp import __version__

        print(f"homelab-mcp {__version__}")  # noqa: T201
        return
    from homelab_mcp.cli.app import main

    main()
