"""``homelab-mcp update``, ``move``, ``connect-services``, ``fix-permissions`` and ``storage``."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from homelab_mcp.cli.add import pairs
from homelab_mcp.cli.common import HostOption, JsonFlag, lab_of, seen
from homelab_mcp.cli.plan_flow import PlanOnly, proposed

Service = Annotated[str, typer.Argument(help="Compose service name.")]
Stack = Annotated[str, typer.Option(help="Its stack; needed only when the name is in several.")]
Many = list[str] | None


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(update)
    app.command()(move)
    app.command("connect-services")(connect_services)
    app.command("fix-permissions")(fix_permissions)
    app.command()(storage)


def update(
    ctx: typer.Context,
    service: Service,
    stack: Stack = "",
    tag: Annotated[str, typer.Option(help="Image tag.")] = "",
    subdomain: Annotated[str, typer.Option(help="Host name left of the domain.")] = "",
    port: Annotated[int, typer.Option(help="Container port that the route leads to.", min=0, max=65535)] = 0,
    sso: Annotated[str, typer.Option(help="protect or bypass.")] = "",
    sso_reason: Annotated[str, typer.Option(help="Why log-in is bypassed.")] = "",
    resources: Annotated[
        str,
        typer.Option(help="tiny, web, database, media, downloader, heavy, monitoring; or measured: looks for 10 s."),
    ] = "",
    limit: Annotated[
        Many,
        typer.Option(
            "--limit",
            metavar="NAME=VALUE",
            help="memory=2G, cpus=1.5, pids=500, io_device=/dev/sda, write_bps=20M.",
        ),
    ] = None,
    gpu: Annotated[str, typer.Option(help="on, nvidia, intel, amd or off.")] = "",
    volume: Annotated[
        Many,
        typer.Option("--volume", metavar="SOURCE:TARGET[:ro]", help="Mount one more; nfs:// and cifs:// too."),
    ] = None,
    no_volume: Annotated[Many, typer.Option("--no-volume", metavar="TARGET", help="Unmount; the data stays.")] = None,
    env: Annotated[Many, typer.Option("--env", metavar="NAME=VALUE", help="A variable that is no secret.")] = None,
    no_env: Annotated[Many, typer.Option("--no-env", metavar="NAME", help="Take a variable out.")] = None,
    health: Annotated[str, typer.Option(help="A shell command; image for the image's own; off.")] = "",
    health_reason: Annotated[str, typer.Option(help="Why there is no health check.")] = "",
    replicas: Annotated[int, typer.Option(help="How many containers.", min=0, max=20)] = 0,
    restart: Annotated[str, typer.Option(help="no, always, on-failure or unless-stopped.")] = "",
    repair: Annotated[Many, typer.Option("--repair", metavar="NAME[:WHAT]", help="As diagnose offers it.")] = None,
    plan_only: PlanOnly = False,
    as_json: JsonFlag = False,
) -> None:
    """Plan to change a service: tag, address, log-in, limits, mounts, variables, health check and more."""
    from homelab_mcp.model.plan import Requester
    from homelab_mcp.workflow.propose_changes import propose_update_service

    changes = {
        "tag": tag,
        "subdomain": subdomain,
        "port": port,
        "sso": sso,
        "sso_reason": sso_reason,
        "resources": resources,
        "limits": pairs(limit or []),
        "gpu": gpu,
        "volumes_add": tuple(volume or ()),
        "volumes_remove": tuple(no_volume or ()),
        "env_set": pairs(env or []),
        "env_unset": tuple(no_env or ()),
        "health": health,
        "health_reason": health_reason,
        "replicas": replicas,
        "restart": restart,
        "repairs": tuple(repair or ()),
    }
    lab = lab_of(ctx)
    plan = propose_update_service(lab, service, stack, changes, Requester(via="cli"))
    raise typer.Exit(proposed(lab, plan, as_json=as_json, plan_only=plan_only))


def move(
    ctx: typer.Context,
    service: Service,
    to: Annotated[str, typer.Argument(help="The stack it goes to, new or existing.")],
    stack: Stack = "",
    plan_only: PlanOnly = False,
    as_json: JsonFlag = False,
) -> None:
    """Plan to move a service to another stack, with its companions, variables and data."""
    from homelab_mcp.model.plan import Requester
    from homelab_mcp.workflow.propose_changes import propose_move_service

    lab = lab_of(ctx)
    plan = propose_move_service(lab, service, stack, to, Requester(via="cli"))
    raise typer.Exit(proposed(lab, plan, as_json=as_json, plan_only=plan_only))


def connect_services(
    ctx: typer.Context,
    a: Annotated[str, typer.Argument(help="Who is to reach the other: service or stack/service.")],
    b: Annotated[str, typer.Argument(help="Who is to be reached.")],
    port: Annotated[int, typer.Option(help="Port of B, where nothing says it.", min=0, max=65535)] = 0,
    network: Annotated[str, typer.Option(help="The network to share; one that fits when left out.")] = "",
    var: Annotated[
        Many, typer.Option("--var", metavar="NAME=VALUE", help="For A; {host}, {port} and {url} stand for B's.")
    ] = None,
    plan_only: PlanOnly = False,
    as_json: JsonFlag = False,
) -> None:
    """Plan to let one service reach another: a shared network, and variables that say where."""
    from homelab_mcp.model.plan import Requester
    from homelab_mcp.workflow.propose_changes import propose_connect_services

    lab = lab_of(ctx)
    plan = propose_connect_services(
        lab, a, b, Requester(via="cli"), port=port, network=network, variables=pairs(var or [])
    )
    raise typer.Exit(proposed(lab, plan, as_json=as_json, plan_only=plan_only))


def fix_permissions(
    ctx: typer.Context,
    service: Service,
    stack: Stack = "",
    owner: Annotated[str, typer.Option(help="uid:gid; the user it runs as when left out.")] = "",
    plan_only: PlanOnly = False,
    as_json: JsonFlag = False,
) -> None:
    """Plan to give a service's own folders to the user it runs as."""
    from homelab_mcp.model.plan import Requester
    from homelab_mcp.workflow.propose_changes import propose_fix_permissions

    lab = lab_of(ctx)
    plan = propose_fix_permissions(lab, service, stack, owner, Requester(via="cli"))
    raise typer.Exit(proposed(lab, plan, as_json=as_json, plan_only=plan_only))


def storage(
    ctx: typer.Context,
    service: Annotated[str, typer.Argument(help="One service; all when left out.")] = "",
    stack: Annotated[str, typer.Option(help="One stack; all when left out.")] = "",
    host: HostOption = "",
    as_json: JsonFlag = False,
) -> None:
    """Check the folders that services mount: there, on which disk, with room, owned by who writes them."""
    from homelab_mcp.queries.storage import check_storage

    lab, named = seen(lab_of(ctx), host, stack=stack, service=service)
    found = check_storage(lab, named["service"], named["stack"])
    if as_json:
        typer.echo(json.dumps(found.as_dict(most=1000), ensure_ascii=False))
        raise typer.Exit(1 if found.problems else 0)
    for row in found.rows:
        place = row.place
        where = f"{place.filesystem} {place.free / 2**30:.1f} GiB free, {place.uid}:{place.gid}" if place.kind else "-"
        typer.echo(f"{'!' if row.problems else ' '} {row.service:30} {row.source} ({where})")
    for problem in found.problems:
        typer.echo(f"! {problem}")
    for note in found.notes:
        typer.echo(note)
    typer.echo(f"{len(found.rows)} mounts, {len(found.problems)} problems.")
    raise typer.Exit(1 if found.problems else 0)
