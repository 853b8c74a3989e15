"""``homelab-mcp approvals``: the approval page alone, without MCP."""

from __future__ import annotations

from typing import Annotated

import typer

from homelab_mcp.cli.common import lab_of, listening


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def approvals(
        ctx: typer.Context,
        listen: Annotated[
            str, typer.Option("--listen", metavar="HOST:PORT", help="Where to serve.")
        ] = "127.0.0.1:8766",
        url: Annotated[
            str,
            typer.Option(
                "--url", envvar="HOMELAB_APPROVALS_URL", help="https address that browsers use, behind a TLS proxy."
            ),
        ] = "",
        proxy: Annotated[
            list[str] | None,
            typer.Option(
                "--proxy",
                metavar="ADDRESS",
                help="Proxy (address or network) whose Remote-User and X-Forwarded-For count.",
            ),
        ] = None,
        allow_remote: Annotated[
            bool, typer.Option("--allow-remote", help="Bind beyond this machine; only with --url https://...")
        ] = False,
    ) -> None:
        """Serve the page on which a person reads plans and answers them, logged in with the approval PIN."""
        from homelab_mcp.web.app import serve
        from homelab_mcp.web.site import site

        host, port = listening(listen, "--listen 127.0.0.1:8766")
        lab = lab_of(ctx)
        _ = lab.settings  # a lab that is none is told now, not at the first log-in
        serve(lab, site(host, port, url=url, proxies=proxy or (), remote=allow_remote), host, port, url)
