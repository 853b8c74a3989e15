"""``homelab-mcp external``: routes to what runs outside of the lab."""

from __future__ import annotations

from typing import Annotated

import typer

from homelab_mcp.cli.common import JsonFlag, console, emit, lab_of
from homelab_mcp.cli.plan_flow import PlanOnly, proposed

ExternalName = Annotated[str, typer.Argument(help="Short name, such as nas.")]


def register(app: typer.Typer) -> None:
    """Add the command group."""
    group = typer.Typer(help="Routes to devices outside of the lab: NAS, router, Raspberry Pi.", no_args_is_help=True)
    app.add_typer(group, name="external")

    @group.command("list")
    def list_routes(ctx: typer.Context, as_json: JsonFlag = False) -> None:
        """What is routed to outside of the lab."""
        from homelab_mcp.workflow.propose_external import external_rows

        rows = external_rows(lab_of(ctx))

        def show() -> None:
            for row in rows:
                console().print(f"{row['name']:<16} {row['url']:<40} -> {row['backend']}  {row['sso']}")
            if not rows:
                console().print("None yet. `homelab-mcp external add nas https://192.168.1.20:5001` plans one.")

        emit({"routes": rows}, as_json, show)

    @group.command("add")
    def add(
        ctx: typer.Context,
        name: ExternalName,
        url: Annotated[str, typer.Argument(help="http(s)://host:port; left out, that of a known name stays.")] = "",
        subdomain: Annotated[str, typer.Option(help="Host name left of the domain; the name when left out.")] = "",
        path: Annotated[str, typer.Option(help="Pass on only this path and what is below it.")] = "",
        sso: Annotated[str, typer.Option(help="protect, two_factor or bypass.")] = "",
        sso_reason: Annotated[str, typer.Option(help="Why log-in is bypassed.")] = "",
        sso_group: Annotated[
            list[str] | None, typer.Option(help="Only this group may pass; 'everyone' lifts that. May be repeated.")
        ] = None,
        tls: Annotated[str, typer.Option(help="verify, ca or skip: how the device's certificate is trusted.")] = "",
        ca: Annotated[
            typer.FileText | None, typer.Option("--ca", help="File with its certificate or CA (PEM); means tls=ca.")
        ] = None,
        tls_name: Annotated[str, typer.Option(help="Name in its certificate, where the address has another.")] = "",
        title: Annotated[str, typer.Option(help="Name on the dashboard.")] = "",
        group_name: Annotated[str, typer.Option("--group", help="Group on the dashboard.")] = "",
        icon: Annotated[str, typer.Option(help="Icon on the dashboard, such as synology.png.")] = "",
        description: Annotated[str, typer.Option(help="Line under the name on the dashboard.")] = "",
        plan_only: PlanOnly = False,
        as_json: JsonFlag = False,
    ) -> None:
        """Plan a route to a device, or change a known one: only what is given changes."""
        from homelab_mcp.model.plan import Requester
        from homelab_mcp.workflow.propose_external import propose_external

        values = {
            "url": url,
            "subdomain": subdomain,
            "path": path,
            "sso": sso,
            "sso_reason": sso_reason,
            "sso_groups": tuple(sso_group or ()),
            "tls": tls or ("ca" if ca else ""),
            "ca": ca.read(20_001) if ca else "",
            "tls_name": tls_name,
            "title": title,
            "group": group_name,
            "icon": icon,
            "description": description,
        }
        lab = lab_of(ctx)
        plan = propose_external(lab, name, values, Requester(via="cli"))
        raise typer.Exit(proposed(lab, plan, as_json=as_json, plan_only=plan_only))

    @group.command("remove")
    def remove(ctx: typer.Context, name: ExternalName, plan_only: PlanOnly = False, as_json: JsonFlag = False) -> None:
        """Plan to take the route to a device away; the device itself is left as it is."""
        from homelab_mcp.model.plan import Requester
        from homelab_mcp.workflow.propose_external import propose_remove_external

        lab = lab_of(ctx)
        plan = propose_remove_external(lab, name, Requester(via="cli"))
        raise typer.Exit(proposed(lab, plan, as_json=as_json, plan_only=plan_only))
