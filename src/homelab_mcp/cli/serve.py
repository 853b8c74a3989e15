"""``homelab-mcp serve``: speak MCP."""

from __future__ import annotations

from typing import Annotated

import typer

from homelab_mcp.cli.common import lab_of


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def serve(
        ctx: typer.Context,
        http: Annotated[
            str, typer.Option("--http", metavar="HOST:PORT", help="Streamable HTTP at /mcp instead of stdio.")
        ] = "",
        token_file: Annotated[
            str, typer.Option("--token-file", help="File with the bearer token that HTTP clients must send.")
        ] = "",
        read_only: Annotated[
            bool,
            typer.Option("--read-only", envvar="HOMELAB_READ_ONLY", help="Offer no tool that plans or applies."),
        ] = False,
        toolsets: Annotated[
            str,
            typer.Option(
                "--toolsets", envvar="HOMELAB_TOOLSETS", help="Comma-separated sets of tools to offer; none: all."
            ),
        ] = "",
    ) -> None:
        """Serve MCP on stdin and stdout, or over HTTP. HOMELAB_HTTP_TOKEN sets the bearer token."""
        from homelab_mcp.server import Offer

        lab = lab_of(ctx, protocol=True)
        offer = Offer(tuple(t for word in toolsets.split(",") if (t := word.strip())), read_only)
        if not http:
            from homelab_mcp.server import serve_stdio

            serve_stdio(lab, offer)
            return
        import os
        from pathlib import Path

        from homelab_mcp.model.errors import InvalidInput
        from homelab_mcp.server import serve_http

        host, separator, port = http.rpartition(":")
        if not separator or not port.isdigit() or not 0 < int(port) < 65536 or not host:
            raise InvalidInput(f"'{http}' is not HOST:PORT.", hint="For example: --http 127.0.0.1:8765")
        token = os.environ.get("HOMELAB_HTTP_TOKEN", "")
        if token_file:
            token = Path(token_file).read_text(encoding="utf-8").strip()
        serve_http(lab, host.strip("[]"), int(port), token, offer=offer)
