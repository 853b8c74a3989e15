"""``homelab-mcp connect``: the configuration that lets a client reach this server."""

from __future__ import annotations

import os
import shlex
import shutil
import stat
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand
from typer.exceptions import TyperException

from homelab_mcp.cli.common import FAILED, JsonFlag, at_terminal, emit, globals_of
from homelab_mcp.cli.connect_openwebui import enter
from homelab_mcp.core.client_config import (
    CLIENTS,
    SERVER,
    TOKEN_VARIABLE,
    Client,
    Way,
    check_url,
    command,
    entry,
    joined,
    links,
)
from homelab_mcp.model.errors import InvalidInput, NotFound

SERVED_HERE = "http://127.0.0.1:8765/mcp"
"""Where ``serve --http 127.0.0.1:8765`` answers, as the docs start it: for clients that take a URL alone."""


def register(app: typer.Typer) -> None:
    """Add the command; ``connect-client`` is what it was called before, and still is in people's notes."""
    app.command(name="connect", cls=Connect)(connect)
    app.command(name="connect-client", hidden=True, cls=Connect)(connect)


class Connect(TyperCommand):
    """A command line that joins two services, as ``connect`` did once, is told the command that does it now."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse. Raises InvalidInput (code ``two_services``) where ``connect-services`` would take these arguments."""
        given = list(args)
        try:
            rest: list[str] = super().parse_args(ctx, args)
        except TyperException:
            if _joins_services(ctx, given):
                raise InvalidInput(
                    "`connect` connects one AI client to this server.",
                    hint=f"To let a service reach another: `homelab-mcp {shlex.join(['connect-services', *given])}`",
                    code="two_services",
                ) from None
            raise
        return rest


def _joins_services(ctx: Any, args: list[str]) -> bool:
    other = ctx.find_root().command.commands["connect-services"]
    try:
        other.make_context(other.name, list(args), parent=ctx.parent)
    except (TyperException, typer.Exit):
        return False
    return True


def _clients() -> list[str]:
    """What a shell offers for the client's name."""
    return list(CLIENTS)


def connect(
    ctx: typer.Context,
    client: Annotated[str, typer.Argument(help=f"One of: {', '.join(CLIENTS)}.", autocompletion=_clients)],
    http: Annotated[
        str,
        typer.Option("--http", metavar="URL", help="Reach a server that runs there instead of starting one."),
    ] = "",
    toolsets: Annotated[str, typer.Option("--toolsets", metavar="SETS", help="As for serve; stdio only.")] = "",
    no_token: Annotated[bool, typer.Option("--no-token", help="With --http: the server asks for none.")] = False,
    write: Annotated[bool, typer.Option("--write", help="Write it to the client's file; shown first.")] = False,
    file: Annotated[str, typer.Option("--file", help="The client's file, where it is not the usual one.")] = "",
    yes: Annotated[bool, typer.Option("--yes", help="With --write: do not ask.")] = False,
    admin: Annotated[
        str,
        typer.Option("--admin", metavar="URL", help="openwebui, with --write: enter it there by its admin API."),
    ] = "",
    key_file: Annotated[
        str, typer.Option("--key-file", help="File with an administrator's key; else OPENWEBUI_API_KEY.")
    ] = "",
    as_json: JsonFlag = False,
) -> None:
    """Print a client's configuration for this server, or write it into the client's file.

    A token is never written: the client asks for it, or takes it from a variable. Other servers in the file stay.
    OpenWebUI keeps its servers in a database: --write --admin URL enters it there, with the token in
    HOMELAB_MCP_TOKEN as its key.
    """
    known = CLIENTS.get(client)
    if known is None:
        raise NotFound(
            f"There is no client {client!r} here.",
            hint=f"Clients: {', '.join(CLIENTS)}. Services are joined by `homelab-mcp connect-services A B`.",
        )
    http = http or ("" if known.stdio else SERVED_HERE)
    options = globals_of(ctx)
    root = str(Path(options.root).absolute())
    way = Way(command(_program(), root, toolsets, files_only=options.files_only), check_url(http) if http else "")
    path = Path(file or known.path).expanduser()
    before = path.read_text(encoding="utf-8") if write and path.is_file() else ""
    body = entry(known, way, token=bool(http) and not no_token)
    after = joined(known, before, body)
    if admin and not (write and known.name == "openwebui"):
        raise InvalidInput("--admin is for openwebui, with --write.", hint="Leave it out for other clients.")
    entered = enter(admin, key_file, body, yes=yes) if admin else {}
    if write and not admin:
        _write(known, path, before, after, yes=yes)
    data = {
        "client": client,
        "file": str(path) if known.path or file else "",
        "config": after,
        "written": write,
        "links": links(way) if client in ("vscode", "cursor") else {},
        "next": _entered(entered) if admin else _next(known, http=bool(http) and not no_token),
        **({"tools": entered["tools"]} if admin else {}),
    }
    emit(data, as_json, lambda: _show(known, data))


def _program() -> str:
    """The full path of this command: clients start it from anywhere."""
    beside = Path(sys.executable).with_name("homelab-mcp")
    return str(beside) if beside.exists() else shutil.which("homelab-mcp") or "homelab-mcp"


def _write(client: Client, path: Path, before: str, after: str, *, yes: bool) -> None:
    from homelab_mcp.core.diff import unified
    from homelab_mcp.model.plan import FileEdit

    if not client.path:
        raise InvalidInput(
            f"{client.title} keeps no such file.",
            hint="Add --admin with its page's address, or enter what is shown without --write in its admin settings.",
        )
    typer.echo(unified([FileEdit(str(path), before or None, after)], ()), err=True)
    if before == after:
        return
    if not yes:
        if not at_terminal():
            raise InvalidInput("Nobody is here to say yes.", hint="Add --yes, or run it in a terminal.")
        if not typer.confirm(f"Write {path}?", err=True):
            raise typer.Exit(FAILED)
    # What a link leads to is written, and the link stays one.
    path = path.resolve()
    path.parent.mkdir(parents=True, exist_ok=True)
    mode = stat.S_IMODE(path.stat().st_mode) if path.exists() else 0o644
    temporary = path.with_name(f".{path.name}.homelab-tmp")
    temporary.unlink(missing_ok=True)
    # Nobody else's to read before it has the file's own mode: other servers' tokens may be in it.
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(fd, "w", encoding="utf-8") as file:
        file.write(after)
        os.fchmod(fd, mode)
    temporary.replace(path)


def _next(client: Client, *, http: bool) -> str:
    token = f"`homelab-mcp token create {client.name} --scope read,plan,apply` makes its token"
    if client.name == "openwebui":
        return (
            "With `homelab-mcp serve --http 127.0.0.1:8765` at work: Admin settings, Integrations, add MCP (Streamable "
            f"HTTP) with this URL, as it leads there from OpenWebUI (--http names another). {token}, which is the key."
        )
    if not http:
        return f"Restart {client.title}, or its servers; then ask it what runs in your lab."
    if client.name == "vscode":
        return f"{token}; VS Code asks for it when it starts the server."
    return f"{token}; set {TOKEN_VARIABLE} to it where {client.title} starts."


def _entered(found: Mapping[str, Any]) -> str:
    if found["problem"]:
        return f"It is entered. Asked to connect now: {found['problem']}"
    return f"OpenWebUI connected and found {len(found['tools'])} tools. In a chat: +, Integrations, Homelab."


def _show(client: Client, data: dict[str, object]) -> None:
    if not data["written"]:
        if data["file"]:
            typer.echo(f"# {client.title}: {data['file']} (server {SERVER})", err=True)
        typer.echo(str(data["config"]), nl=False)
    found = data["links"]
    if isinstance(found, dict):
        for link in found.values():
            if str(link).startswith(f"{client.name}:"):
                typer.echo(f"Or click: {link}", err=True)
    typer.echo(str(data["next"]), err=True)
