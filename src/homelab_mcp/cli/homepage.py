"""``homelab-mcp homepage``: the start page."""

from __future__ import annotations

from typing import Annotated

import typer

from homelab_mcp.cli.common import JsonFlag, at_terminal, console, emit, lab_of
from homelab_mcp.cli.plan_flow import PlanOnly, proposed


def register(app: typer.Typer) -> None:
    """Add the command group."""
    group = typer.Typer(help="The start page: what it shows, how it looks, widgets.", no_args_is_help=True)
    app.add_typer(group, name="homepage")
    _widget(group)
    _page(group)

    @group.command("show")
    def show_page(ctx: typer.Context, as_json: JsonFlag = False) -> None:
        """What it lists, widgets that lack a key, and services that could have one."""
        from homelab_mcp.queries.start_page import start_page

        found = start_page(lab_of(ctx))
        missing = [f"{m.service}: {m.variable} in {m.stack}/.env" for m in found.missing]
        data = {
            "where": found.where,
            "entries": list(found.entries),
            "missing": missing,
            "possible": list(found.possible),
        }

        def show() -> None:
            out = console()
            out.print(found.where or "The lab has no Homepage.")
            for title, lines in (("Entries", found.entries), ("Keys missing", missing), ("Widgets", found.possible)):
                if lines:
                    out.print(title, style="bold")
                    for line in lines:
                        out.print(f"  {line}")

        emit(data, as_json, show)


def _page(group: typer.Typer) -> None:
    @group.command("set")
    def set_page(
        ctx: typer.Context,
        title: Annotated[str, typer.Option(help="The page's title.")] = "",
        theme: Annotated[str, typer.Option(help="dark or light.")] = "",
        color: Annotated[str, typer.Option(help="A palette, such as slate.")] = "",
        show: Annotated[
            list[str] | None, typer.Option(help="resources, search, datetime or weather; again for more.")
        ] = None,
        hide: Annotated[list[str] | None, typer.Option(help="The same, taken away.")] = None,
        search: Annotated[str, typer.Option(help="Search with google, duckduckgo, bing, baidu or brave.")] = "",
        place: Annotated[str, typer.Option(help="Weather at 'latitude, longitude'.")] = "",
        bookmark: Annotated[str, typer.Option(help="A bookmark's name; without --href it is removed.")] = "",
        group_name: Annotated[str, typer.Option("--group", help="The bookmark's group.")] = "Bookmarks",
        href: Annotated[str, typer.Option(help="The bookmark's address.")] = "",
        plan_only: PlanOnly = False,
        as_json: JsonFlag = False,
    ) -> None:
        """Plan how the page looks."""
        from homelab_mcp.model.plan import Requester
        from homelab_mcp.workflow.propose_homepage import propose_set_homepage

        lab = lab_of(ctx)
        plan = propose_set_homepage(
            lab,
            Requester(via="cli"),
            title=title,
            theme=theme,
            color=color,
            show=tuple(show or ()),
            hide=tuple(hide or ()),
            search=search,
            place=place,
            bookmark=bookmark,
            group=group_name,
            href=href,
        )
        raise typer.Exit(proposed(lab, plan, as_json=as_json, plan_only=plan_only))


def _widget(group: typer.Typer) -> None:
    @group.command("widget")
    def set_widget(
        ctx: typer.Context,
        service: Annotated[str, typer.Argument(help="Its compose name, or stack/name.")],
        field: Annotated[
            list[str] | None, typer.Option("--field", metavar="NAME=VALUE", help="A field beyond the usual.")
        ] = None,
        remove: Annotated[bool, typer.Option("--remove", help="Take the widget away.")] = False,
        plan_only: PlanOnly = False,
        as_json: JsonFlag = False,
    ) -> None:
        """Plan a service's widget; at a terminal its key is asked where .env has none."""
        from homelab_mcp.cli.add import pairs
        from homelab_mcp.core.homepage_widgets import KINDS
        from homelab_mcp.model.errors import InvalidInput
        from homelab_mcp.model.plan import Requester
        from homelab_mcp.workflow.propose_homepage import propose_set_widget

        lab, me = lab_of(ctx), Requester(via="cli")
        fields = pairs(field or [])
        try:
            plan = propose_set_widget(lab, me, service=service, fields=fields, remove=remove)
        except InvalidInput as error:
            kind = KINDS.get(service.rpartition("/")[2])
            if error.code != "missing_input" or kind is None or not kind.secrets or not at_terminal():
                raise
            console(error=True).print(error.message)
            secrets = {s: typer.prompt(f"Its {s}", hide_input=True, err=True) for s in kind.secrets}
            plan = propose_set_widget(lab, me, service=service, fields=fields, secrets=secrets)
        raise typer.Exit(proposed(lab, plan, as_json=as_json, plan_only=plan_only))
