"""``homelab-mcp token``: who may use the HTTP server."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from homelab_mcp.cli.common import JsonFlag, console, emit, lab_of
from homelab_mcp.model.errors import HomelabError

if TYPE_CHECKING:
    from homelab_mcp.model.token import Token

DEFAULT_DAYS = 90


def register(app: typer.Typer) -> None:
    """Add the command group."""
    group = typer.Typer(help="Make, list or revoke bearer tokens of HTTP clients.", no_args_is_help=True)
    app.add_typer(group, name="token")

    @group.command("create")
    def create(
        ctx: typer.Context,
        name: Annotated[str, typer.Argument(help="What to call the client that gets it, such as laptop-vscode.")],
        scope: Annotated[str, typer.Option("--scope", help="Any of read, plan, apply; comma-separated.")] = "read,plan",
        days: Annotated[
            int, typer.Option("--days", min=0, max=3650, help="How long it lives; 0: until it is revoked.")
        ] = DEFAULT_DAYS,
        as_json: JsonFlag = False,
    ) -> None:
        """Make a token, and print it this one time. It counts at once, without a restart."""
        from homelab_mcp.core.token_words import scopes_of

        lab = lab_of(ctx)
        _ = lab.settings  # a folder that is no lab gets none
        token, value = lab.tokens.create(name, scopes_of(scope), days)
        try:
            lab.journal.append("token_created", {"token": token.name, "scopes": list(token.scopes), "days": days})
        except HomelabError:
            lab.tokens.revoke(token.name)
            raise

        def text() -> None:
            # The value alone on stdout, for `| wl-copy` and the like.
            said = f"Token {token.name} ({', '.join(token.scopes)}), {_until(token)}. It is not shown again:"
            console(error=True).print(said, markup=False)
            sys.stdout.write(value + "\n")

        emit({**_row(token), "token": value}, as_json, text)

    @group.command("list")
    def show(ctx: typer.Context, as_json: JsonFlag = False) -> None:
        """The tokens there are; their values are kept nowhere."""
        lab = lab_of(ctx)
        tokens, now = lab.tokens.list(), lab.clock.now()

        def text() -> None:
            if not tokens:
                console().print("No tokens. Make one: homelab-mcp token create NAME --scope read,plan", markup=False)
            for token in tokens:
                used = f"used {_day(token.used, hour=True)}" if token.used else "never used"
                line = f"{token.name:<24} {','.join(token.scopes):<16} created {_day(token.created)}, {used}, "
                console().print(line + ("EXPIRED" if token.expired(now) else _until(token)), markup=False)

        emit({"tokens": [_row(t) | {"expired": t.expired(now)} for t in tokens]}, as_json, text)

    @group.command("revoke")
    def revoke(ctx: typer.Context, name: str, as_json: JsonFlag = False) -> None:
        """Forget a token: its client is refused from the next request on."""
        lab = lab_of(ctx)
        token = lab.tokens.revoke(name)
        lab.journal.append("token_revoked", {"token": token.name})
        emit({"revoked": token.name}, as_json, lambda: console().print(f"Token {token.name} is revoked.", markup=False))


def _row(token: Token) -> dict[str, Any]:
    return {
        "name": token.name,
        "scopes": [str(s) for s in token.scopes],
        "created": int(token.created),
        "used": int(token.used) or None,
        "expires": int(token.expires) or None,
    }


def _until(token: Token) -> str:
    return f"expires {_day(token.expires)}" if token.expires else "never expires"


def _day(when: float, *, hour: bool = False) -> str:
    from datetime import datetime

    return datetime.fromtimestamp(when).astimezone().strftime("%Y-%m-%d %H:00" if hour else "%Y-%m-%d")
