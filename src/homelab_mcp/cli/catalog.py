"""``homelab-mcp catalog``."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from homelab_mcp.cli import catalog_own
from homelab_mcp.cli.common import FAILED, JsonFlag, console, emit, lab_of

if TYPE_CHECKING:
    from homelab_mcp.queries.check_catalog import Checked


def register(app: typer.Typer) -> None:
    """Add the command group."""
    group = typer.Typer(
        help="The service catalog: its entries, whether all is well, definitions of your own, catalogs of others."
    )
    app.add_typer(group, name="catalog", no_args_is_help=True)
    group.command("list")(_list)
    group.command("show")(_show)
    group.command("check")(_check)
    catalog_own.register(group)


def _list(
    ctx: typer.Context,
    category: Annotated[str, typer.Option(help="Only this category.")] = "",
    as_json: JsonFlag = False,
) -> None:
    """List the services by category."""
    from homelab_mcp.core.catalog_search import needs

    catalog = lab_of(ctx).catalog
    found = catalog.search("", category or None, 10_000, 0).matches
    records = sorted(found, key=lambda record: (record.category, record.id))
    rows = [
        {
            "id": r.id,
            "category": r.category,
            "level": r.level,
            "needs": needs(r),
            "summary": r.summary,
            **({"from": catalog.origin(r.id)} if catalog.origin(r.id) else {}),
        }
        for r in records
    ]

    def show() -> None:
        for row in rows:
            summary = f"{row['summary']} ({row['from']})" if "from" in row else row["summary"]
            console().print(f"{row['category']:<17} {row['id']:<22} {row['level']:<10} {summary}", markup=False)
        console().print(f"{len(rows)} services.")

    emit({"services": rows, "total": len(rows)}, as_json, show)


def _show(
    ctx: typer.Context,
    service: Annotated[str, typer.Argument(help="Id, name or alias.")],
    as_json: JsonFlag = False,
) -> None:
    """Show one service: what it is, needs, keeps and asks for, and where each fact comes from."""
    from homelab_mcp.queries.pages import service_documentation

    lab = lab_of(ctx)
    definition = lab.catalog.get(service)
    emit(
        definition.model_dump(mode="json", exclude_defaults=True),
        as_json,
        lambda: console().print(service_documentation(lab, definition.id), markup=False, soft_wrap=True, end=""),
    )


def _check(
    ctx: typer.Context,
    services: Annotated[list[str] | None, typer.Argument(help="Only these; none: all of them.")] = None,
    warnings: Annotated[bool, typer.Option("--warnings", help="Show the linter's warnings too.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Check the entries, a lab's own too: format, rules, generated compose file and the linter's word on it."""
    from homelab_mcp.queries.check_catalog import check_catalog

    checked = check_catalog(lab_of(ctx).catalog, services or ())
    bad = [one for one in checked if one.problems]
    levels = Counter(one.level for one in checked)
    data = {
        "entries": len(checked),
        "errors": sum(len(one.problems) for one in bad),
        "warnings": sum(len(one.warnings) for one in checked),
        "unexplained": sum(len(one.unexplained) for one in checked),
        "levels": dict(sorted(levels.items())),
        "categories": dict(sorted(Counter(one.category for one in checked if one.category).items())),
        "problems": {one.id: list(one.problems) for one in bad},
        **({"warned": {one.id: list(one.warnings) for one in checked if one.warnings}} if warnings else {}),
    }
    emit(data, as_json, lambda: _tell(checked, data, warnings))
    if bad:
        raise typer.Exit(FAILED)


def _tell(checked: list[Checked], data: dict[str, Any], warnings: bool) -> None:
    for one in checked:
        for problem in one.problems:
            console().print(f"{one.id}: error: {problem}", markup=False)
        for warning in one.warnings if warnings else ():
            console().print(f"{one.id}: warning: {warning}", markup=False)
    levels = ", ".join(f"{count} {level}" for level, count in data["levels"].items())
    console().print(
        f"{data['entries']} entries ({levels}), {data['errors']} errors, {data['warnings']} warnings, "
        f"{data['unexplained']} of them without a reason in the entry."
    )
