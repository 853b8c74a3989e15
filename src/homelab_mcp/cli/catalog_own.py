"""``homelab-mcp catalog``: definitions of one's own, and catalogs of others."""

from __future__ import annotations

from typing import Annotated

import typer

from homelab_mcp.cli.common import JsonFlag, console, emit, lab_of
from homelab_mcp.cli.plan_flow import PlanOnly, proposed

CatalogWord = Annotated[str, typer.Argument(help="The catalog's name in this lab.")]


def register(group: typer.Typer) -> None:
    """Add the commands to the group."""
    group.command("new")(_new)
    group.command("diff")(_diff)
    group.command("add")(_add)
    group.command("remove")(_remove)
    group.command("sources")(_sources)


def _new(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="The new service's id, such as notes.")],
    image: Annotated[str, typer.Option(help="Its image, repository:tag.")] = "",
    port: Annotated[int, typer.Option(help="Container port of its web page; 0: it has none.", min=0, max=65535)] = 0,
    data: Annotated[list[str] | None, typer.Option(help="A folder in the container that it keeps data in.")] = None,
    like: Annotated[str, typer.Option(help="Begin with the definition of this service instead.")] = "",
    as_json: JsonFlag = False,
) -> None:
    """Print the beginning of a definition, to be kept as catalog/ID.yaml in the lab's folder and completed there.

    With --like an existing one, which a file of the same id in the lab then replaces.
    """
    from homelab_mcp.core.catalog_draft import definition_text, new_text
    from homelab_mcp.model.errors import InvalidInput

    if bool(image) == bool(like):
        raise InvalidInput("A definition begins with an image or with another one.", hint="Give --image or --like.")
    if like:
        catalog = lab_of(ctx).catalog
        # A shell has emptied catalog/ID.yaml before this runs, where the text is sent there.
        definition = (catalog.packaged(name) if like == name else None) or catalog.get(like)
        text = definition_text(definition.model_copy(update={"id": name}))
    else:
        text = new_text(name, image, port, data or ())
    emit({"id": name, "text": text}, as_json, lambda: typer.echo(text, nl=False))


def _diff(
    ctx: typer.Context,
    service: Annotated[str, typer.Argument(help="Id, name or alias.")],
    as_json: JsonFlag = False,
) -> None:
    """Show what the lab's own definition of a service has otherwise than the packaged one."""
    from homelab_mcp.core.catalog_draft import difference

    catalog = lab_of(ctx).catalog
    definition = catalog.get(service)
    origin, packaged = catalog.origin(definition.id), catalog.packaged(definition.id)
    text = difference(packaged, definition, "packaged", origin) if packaged and origin else ""
    if not origin:
        said = f"{definition.id} is as it is packaged: the lab has no definition of its own."
    elif packaged is None:
        said = f"{definition.id} is only in {origin}: no packaged one is behind it."
    else:
        said = "" if text else f"{origin} says the same as the packaged one."
    emit(
        {"service": definition.id, "origin": origin, "diff": text, "note": said},
        as_json,
        lambda: console().print(text or said, markup=False, soft_wrap=True, end="" if text else "\n"),
    )


def _add(
    ctx: typer.Context,
    name: CatalogWord,
    url: Annotated[
        str, typer.Argument(help="https address of a git repository; that of a known one when left out.")
    ] = "",
    commit: Annotated[
        str, typer.Option(help="All 40 digits of the commit to take; what comes later is not taken.")
    ] = "",
    folder: Annotated[str, typer.Option(help="Where its definitions are; its catalog folder when left out.")] = "",
    plan_only: PlanOnly = False,
    as_json: JsonFlag = False,
) -> None:
    """Plan to take another's catalog at one commit, or another commit of it: its files are in the plan's diff."""
    from homelab_mcp.model.plan import Requester
    from homelab_mcp.workflow.propose_catalog import propose_catalog

    lab = lab_of(ctx)
    plan = propose_catalog(lab, name, url, commit, folder, Requester(via="cli"))
    raise typer.Exit(proposed(lab, plan, as_json=as_json, plan_only=plan_only))


def _remove(ctx: typer.Context, name: CatalogWord, plan_only: PlanOnly = False, as_json: JsonFlag = False) -> None:
    """Plan to take another's catalog out; services that were added from it stay."""
    from homelab_mcp.model.plan import Requester
    from homelab_mcp.workflow.propose_catalog import propose_remove_catalog

    lab = lab_of(ctx)
    plan = propose_remove_catalog(lab, name, Requester(via="cli"))
    raise typer.Exit(proposed(lab, plan, as_json=as_json, plan_only=plan_only))


def _sources(ctx: typer.Context, as_json: JsonFlag = False) -> None:
    """List the catalogs of others: where each is from, its commit, and how many services it has."""
    from homelab_mcp.workflow.propose_catalog import catalog_rows

    rows = catalog_rows(lab_of(ctx))

    def show() -> None:
        for row in rows:
            console().print(
                f"{row['name']:<16} {row['services']:>4} services  {row['commit']}  {row['url']}", markup=False
            )
        if not rows:
            console().print("None. `homelab-mcp catalog add NAME URL --commit ID` plans one.", markup=False)

    emit({"catalogs": rows}, as_json, show)
