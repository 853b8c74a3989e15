"""``homelab-mcp add-custom`` and ``homelab-mcp import``."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from homelab_mcp.cli.add import pairs
from homelab_mcp.cli.common import JsonFlag, lab_of
from homelab_mcp.cli.plan_flow import PlanOnly, proposed

Many = list[str] | None
_ENGINES = frozenset({"docker", "podman", "nerdctl", "sudo"})
_LONGEST = 100_001


def register(app: typer.Typer) -> None:
    """Add the commands."""
    _add_custom(app)
    _import(app)


def _add_custom(app: typer.Typer) -> None:
    @app.command("add-custom")
    def add_custom(
        ctx: typer.Context,
        name: Annotated[str, typer.Argument(help="Name of the service.")],
        image: Annotated[str, typer.Argument(help="Image with its tag.")],
        stack: Annotated[str, typer.Option(help="Stack to add it to; one of its own when left out.")] = "",
        port: Annotated[int, typer.Option(help="Container port of its page; by the image when left out.")] = 0,
        scheme: Annotated[str, typer.Option(help="http or https: how the container speaks.")] = "",
        volume: Annotated[
            Many,
            typer.Option("--volume", help="/data, NAME:/data, media:/x, downloads:/x or /host:/x; :ro may follow."),
        ] = None,
        env: Annotated[Many, typer.Option("--env", metavar="NAME=VALUE", help="A non-secret setting.")] = None,
        generate: Annotated[Many, typer.Option("--generate", metavar="NAME", help="Give it a new secret.")] = None,
        ask: Annotated[
            Many, typer.Option("--ask", metavar="NAME", help="A secret that you set with `env set` first.")
        ] = None,
        publish: Annotated[Many, typer.Option("--publish", metavar="HOST:CONTAINER[/udp]", help="A host port.")] = None,
        command: Annotated[str, typer.Option(help="Arguments in place of the image's own.")] = "",
        user: Annotated[str, typer.Option(help="UID[:GID], or lab for the lab's own.")] = "",
        health: Annotated[str, typer.Option(help="A command in the container that fails when it is ill.")] = "",
        subdomain: Annotated[str, typer.Option(help="Host name left of the domain.")] = "",
        sso: Annotated[str, typer.Option(help="protect or bypass.")] = "",
        sso_reason: Annotated[str, typer.Option(help="Why log-in is bypassed.")] = "",
        resources: Annotated[
            str, typer.Option(help="tiny, web, database, media, downloader, heavy or monitoring.")
        ] = "",
        gpu: Annotated[str, typer.Option(help="nvidia or vaapi.")] = "",
        category: Annotated[str, typer.Option(help="Category, and group on the dashboard.")] = "",
        title: Annotated[str, typer.Option(help="Name on the dashboard.")] = "",
        icon: Annotated[str, typer.Option(help="Icon on the dashboard.")] = "",
        host: Annotated[str, typer.Option(help="Docker host of a new stack (see host list); else this machine.")] = "",
        plan_only: PlanOnly = False,
        as_json: JsonFlag = False,
    ) -> None:
        """Plan to add an image that the catalog does not have; asks for the PIN at a terminal and applies."""
        from homelab_mcp.model.plan import Requester
        from homelab_mcp.workflow.propose_any import propose_custom

        values: dict[str, Any] = {
            "name": name,
            "image": image,
            "stack": stack,
            "port": port,
            "scheme": scheme,
            "volumes": volume or [],
            "environment": pairs(env or []),
            "generate": generate or [],
            "ask": ask or [],
            "publish": publish or [],
            "command": command,
            "user": user,
            "health": health,
            "subdomain": subdomain,
            "sso": sso,
            "sso_reason": sso_reason,
            "resources": resources,
            "gpu": gpu,
            "category": category,
            "title": title,
            "icon": icon,
            "host": host,
        }
        lab = lab_of(ctx)
        plan = propose_custom(lab, values, Requester(via="cli"))
        raise typer.Exit(proposed(lab, plan, as_json=as_json, plan_only=plan_only))


def _import(app: typer.Typer) -> None:
    @app.command("import")
    def import_(
        ctx: typer.Context,
        file: Annotated[str, typer.Argument(help="Compose file, or file with a docker run command; - reads stdin.")],
        stack: Annotated[str, typer.Option(help="Stack to add it to; one of its own when left out.")] = "",
        main: Annotated[str, typer.Option(help="Service that --name, --port and --subdomain are about.")] = "",
        name: Annotated[str, typer.Option(help="Its name in the lab.")] = "",
        port: Annotated[int, typer.Option(help="Container port of its page; found out when left out.")] = 0,
        subdomain: Annotated[str, typer.Option(help="Host name left of the domain.")] = "",
        sso: Annotated[str, typer.Option(help="protect or bypass.")] = "",
        sso_reason: Annotated[str, typer.Option(help="Why log-in is bypassed.")] = "",
        volumes: Annotated[str, typer.Option(help="folders: named volumes become folders; keep: they stay.")] = "",
        var: Annotated[Many, typer.Option("--var", metavar="NAME=VALUE", help="Value of a ${NAME} in it.")] = None,
        host: Annotated[str, typer.Option(help="Docker host of a new stack (see host list); else this machine.")] = "",
        plan_only: PlanOnly = False,
        as_json: JsonFlag = False,
    ) -> None:
        """Plan to take over services from a compose file or a docker run command, put to the lab's conventions.

        What a .env beside the file holds is used for the names that it refers to, and nothing else of it.
        """
        from homelab_mcp.model.plan import Requester
        from homelab_mcp.workflow.propose_any import propose_import

        text, env, reader = _source(file)
        values = {
            "text": text,
            "stack": stack,
            "main": main,
            "name": name,
            "port": port,
            "subdomain": subdomain,
            "sso": sso,
            "sso_reason": sso_reason,
            "volumes": volumes,
            "variables": pairs(var or []),
            "host": host,
        }
        lab = lab_of(ctx)
        plan = propose_import(lab, values, Requester(via="cli"), env=env, reader=reader)
        raise typer.Exit(proposed(lab, plan, as_json=as_json, plan_only=plan_only))


def _source(file: str) -> tuple[str, dict[str, str], Any]:
    """The text, the variables beside it, and a reader of what it names beside itself."""
    import sys
    from pathlib import Path

    from homelab_mcp.core.env_file import parse_or_empty
    from homelab_mcp.model.errors import InvalidInput

    if file == "-":
        return sys.stdin.read(_LONGEST), {}, None
    if len(file.split()) > 1 and Path(file.split()[0]).name in _ENGINES:
        # Its words may hold a password: they are not repeated.
        raise InvalidInput(
            "That is a command line and not a file that holds one.",
            hint="`homelab-mcp import -` reads it from stdin: paste it there, then Ctrl-D. Or put it into a file.",
            code="no_file",
        )
    path = Path(file)
    if not path.is_file():
        raise InvalidInput(f"There is no file {file}.", hint="Name a compose file, or - for stdin.", code="no_file")
    with path.open(encoding="utf-8", errors="replace") as opened:
        text = opened.read(_LONGEST)
    folder = path.resolve().parent
    env = folder / ".env"

    def read(name: str) -> str | None:
        # What the file includes or extends, beside it and below; nothing else of the machine.
        wanted = (folder / name).resolve()
        inside = wanted.is_relative_to(folder) and wanted.is_file() and wanted.stat().st_size < _LONGEST
        return wanted.read_text(encoding="utf-8", errors="replace") if inside else None

    return text, parse_or_empty(env.read_text(encoding="utf-8")) if env.is_file() else {}, read
