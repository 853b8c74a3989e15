"""``homelab-mcp serve``: speak MCP."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from homelab_mcp.cli.common import lab_of, listening
from homelab_mcp.model.errors import InvalidInput


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def serve(
        ctx: typer.Context,
        http: Annotated[
            str, typer.Option("--http", metavar="HOST:PORT", help="Streamable HTTP at /mcp instead of stdio.")
        ] = "",
        token_file: Annotated[
            str,
            typer.Option("--token-file", help="File with one more bearer token, beside those of `homelab-mcp token`."),
        ] = "",
        token_scopes: Annotated[
            str, typer.Option("--token-scopes", help="What that token may do: read, plan, apply.")
        ] = "read,plan,apply",  # noqa: S107 - scopes
        allow_host: Annotated[
            list[str],
            typer.Option(
                "--allow-host",
                envvar="HOMELAB_HTTP_ALLOW_HOST",
                metavar="NAME[:PORT]",
                help="A further name clients reach the server by, such as its name in Traefik. May be repeated.",
            ),
        ] = [],  # noqa: B006
        behind_proxy: Annotated[
            list[str],
            typer.Option(
                "--behind-proxy",
                envvar="HOMELAB_HTTP_BEHIND_PROXY",
                metavar="ADDRESS",
                help="Address or network of a proxy whose X-Forwarded-* is believed. May be repeated.",
            ),
        ] = [],  # noqa: B006
        tls_cert: Annotated[str, typer.Option("--tls-cert", help="Serve HTTPS: PEM file of the certificate.")] = "",
        tls_key: Annotated[str, typer.Option("--tls-key", help="PEM file of the certificate's key.")] = "",
        rate: Annotated[
            int, typer.Option("--rate", min=0, help="Requests a minute of one client over HTTP; 0: any number.")
        ] = 1200,
        read_only: Annotated[
            bool,
            typer.Option("--read-only", envvar="HOMELAB_READ_ONLY", help="Offer no tool that plans or applies."),
        ] = False,
        toolsets: Annotated[
            str,
            typer.Option(
                "--toolsets",
                envvar="HOMELAB_TOOLSETS",
                metavar="SETS",
                help="Comma-separated: core, ops, platform, admin, default or all.",
            ),
        ] = "default",
    ) -> None:
        """Serve MCP on stdin and stdout, or over HTTP. HOMELAB_HTTP_TOKEN sets a bearer token, as --token-file does."""
        from homelab_mcp.server import Offer

        lab = lab_of(ctx, protocol=True)
        offer = Offer(tuple(t for word in toolsets.split(",") if (t := word.strip())), read_only)
        if not http:
            from homelab_mcp.opening.front import taken
            from homelab_mcp.server import serve_stdio

            serve_stdio(lab, offer, taken())
            return
        from homelab_mcp.core.token_words import scopes_of
        from homelab_mcp.http.settings import HttpSettings, Limits
        from homelab_mcp.server import serve_http

        host, port = listening(http, "--http 127.0.0.1:8765")
        settings = HttpSettings(
            host,
            port,
            token=_static_token(token_file),
            token_scopes=scopes_of(token_scopes),
            allow_hosts=tuple(allow_host),
            behind_proxy=tuple(behind_proxy),
            tls_cert=tls_cert,
            tls_key=tls_key,
            limits=Limits(rate=rate / 60),
        )
        serve_http(lab, settings, offer=offer)


def _static_token(file: str) -> str:
    """The token given at start; taken out of the environment, which every program we run inherits."""
    given = os.environ.pop("HOMELAB_HTTP_TOKEN", "").strip()
    if not file:
        return given
    try:
        text = Path(file).read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        text = ""
    if not text:
        # An empty file must not come to mean that no token is needed.
        raise InvalidInput("The token file cannot be read, or is empty.", hint="Look at --token-file.", code="no_token")
    return text
