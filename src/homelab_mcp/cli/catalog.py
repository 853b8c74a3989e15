"""``homelab-mcp catalog``."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from homelab_mcp.cli.common import FAILED, JsonFlag, console, emit, lab_of

if TYPE_CHECKING:
    from homelab_mcp.model.definition import ServiceDefinition
    from homelab_mcp.queries.check_catalog import Checked


def register(app: typer.Typer) -> None:
    """Add the command group."""
    group = typer.Typer(help="The service catalog: what is in it, one entry whole, and whether all is well.")
    app.add_typer(group, name="catalog", no_args_is_help=True)
    group.command("list")(_list)
    group.command("show")(_show)
    group.command("check")(_check)


def _list(
    ctx: typer.Context,
    category: Annotated[str, typer.Option(help="Only this category.")] = "",
    as_json: JsonFlag = False,
) -> None:
    """List the services by category."""
    from homelab_mcp.core.catalog_search import needs

    found = lab_of(ctx).catalog.search("", category or None, 10_000, 0).matches
    records = sorted(found, key=lambda record: (record.category, record.id))
    rows = [
        {"id": r.id, "category": r.category, "level": r.level, "needs": needs(r), "summary": r.summary} for r in records
    ]

    def show() -> None:
        for row in rows:
            console().print(f"{row['category']:<17} {row['id']:<22} {row['level']:<10} {row['summary']}", markup=False)
        console().print(f"{len(rows)} services.")

    emit({"services": rows, "total": len(rows)}, as_json, show)


def _show(
    ctx: typer.Context,
    service: Annotated[str, typer.Argument(help="Id, name or alias.")],
    as_json: JsonFlag = False,
) -> None:
    """Show one service: what it is, needs, keeps and asks for, and where each fact comes from."""
    definition = lab_of(ctx).catalog.get(service)
    emit(
        definition.model_dump(mode="json", exclude_defaults=True),
        as_json,
        lambda: console().print(_page(definition), markup=False),
    )


def _page(d: ServiceDefinition) -> str:
    def block(title: str, lines: list[str]) -> list[str]:
        return ["", f"{title}:", *(f"  {line}" for line in lines)] if lines else []

    route = [f"https://{d.route.subdomain}.<domain>, SSO {d.route.sso.policy}: {d.route.sso.why}"] if d.route else []
    past = [f"past SSO: {', '.join(d.route.sso.api_paths)}"] if d.route and d.route.sso.api_paths else []
    containers = {d.id: d.container, **{f"{d.id}-{key}": each for key, each in d.companions.items()}}
    fit = [
        f"lazy loading: {'yes' if d.lazy.ok else 'no'}. {d.lazy.why}",
        f"VPN: {d.vpn.use}. {d.vpn.why}",
        f"GPU: {', '.join(d.gpu.kinds) or d.gpu.use}. {d.gpu.why}",
    ]
    lines = [
        f"{d.name} ({d.id}), {d.category}, level {d.level}",
        d.summary,
        *block("Replaces", [", ".join(d.replaces)] if d.replaces else []),
        *block("Containers", [f"{name}: {each.image.reference}" for name, each in containers.items()]),
        *block("Route", route + past),
        *block("Asks for", [f"{v.name}: {v.description}" for v in d.variables if _asked(v)]),
        *block("Makes", [f"{v.name}: {v.description}" for v in d.variables if v.generate]),
        *block("Fits", fit),
        *block("Backup", [d.backup.notes]),
        *block("Notes", [*d.notes, *([f"Upgrade: {d.upgrade}"] if d.upgrade else [])]),
        *block("Log lines", [f"/{f.pattern}/ {f.cause} {f.fix}" for f in d.failures]),
        *block("Sources", [f"{s.facts}: {s.where}" for s in d.sources]),
    ]
    return "\n".join(lines)


def _asked(variable: Any) -> bool:
    return variable.required and variable.default is None and not variable.generate


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
    console().print(f"{data['entries']} entries ({levels}), {data['errors']} errors, {data['warnings']} warnings.")
