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
    if "serve" in sys.argv:
        from homelab_mcp.opening.front import answered_all, under_way

        if answered_all(sys.argv[1:]):
            return
        if under_way():
            # A client waits for the server: the other commands, an eighth of a second, are not for it.
            from homelab_mcp.cli import serve
            from homelab_mcp.cli.frame import new_app, run_app

            app = new_app()
            serve.register(app)
            run_app(app)
            return
    from homelab_mcp.cli.app import main

    main()
