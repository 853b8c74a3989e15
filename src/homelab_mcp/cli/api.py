"""``homelab-mcp api``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from homelab_mcp.cli.common import JsonFlag, console, emit, lab_of
from homelab_mcp.cli.plan_flow import PlanOnly, proposed


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(api)


def api(
    ctx: typer.Context,
    service: Annotated[str, typer.Argument(help="A service of the lab; none: those with an API.")] = "",
    operation: Annotated[str, typer.Argument(help="What to call; none: what may be called.")] = "",
    values: Annotated[list[str] | None, typer.Option("--set", "-s", help="NAME=VALUE; again for more.")] = None,
    stack: Annotated[str, typer.Option(help="Its stack, where several have the name.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=100, help="Items of a list.")] = 20,
    offset: Annotated[int, typer.Option(min=0, help="Items to leave out.")] = 0,
    plan_only: PlanOnly = False,
    as_json: JsonFlag = False,
) -> None:
    """Use a service's own API: list what may be called, read, or plan a change."""
    from homelab_mcp.model.plan import Requester
    from homelab_mcp.queries.service_api import called
    from homelab_mcp.workflow.propose_api import propose_api_call

    lab = lab_of(ctx)
    given = values_of(values or ())
    found = called(lab, service, stack, operation, given, limit=limit, offset=offset)
    if isinstance(found, dict):
        emit(found, as_json, lambda: _show(found))
        return
    plan = propose_api_call(lab, service, stack, operation, given, Requester("cli"))
    raise typer.Exit(proposed(lab, plan, as_json=as_json, plan_only=plan_only))


def values_of(words: list[str] | tuple[str, ...]) -> dict[str, str]:
    """NAME=VALUE pairs. Raises InvalidInput for a word without an equals sign."""
    from homelab_mcp.model.errors import InvalidInput

    found = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name:
            raise InvalidInput(f"{word[:60]!r} is not NAME=VALUE.", hint="For example --set id=3.", code="bad_value")
        found[name] = value
    return found


def _show(found: Mapping[str, Any]) -> None:
    from rich.text import Text

    out = console()
    for row in found.get("services", ()):
        out.print(Text.assemble((f"{row['service']:32}", "bold"), f" {row['operations']:3} operations  {row['key']}"))
    if "operations" in found:
        out.print(Text.assemble((str(found["service"]), "bold"), f"   {found['key']}"))
        for row in found["operations"]:
            plan = (f"  plan, {row['plan']}", "yellow") if "plan" in row else ""
            out.print(Text.assemble("  ", (str(row["id"]), "bold"), f"  {row['does']}", plan))
            for name, told in row.get("values", {}).items():
                out.print(Text(f"      --set {name}=  {told}", style="dim"))
    for item in found.get("items", ()):
        out.print(Text(_line(item)))
    if "data" in found:
        data = found["data"]
        out.print(Text(data if isinstance(data, str) else json.dumps(data, ensure_ascii=False, indent=2)))
    if "next_offset" in found:
        out.print(Text(f"{found['next_offset']} of {found['total']}: --offset {found['next_offset']}", style="dim"))
    if found.get("services") == []:
        out.print("No service of this lab has an API that may be called.")


def _line(item: Any) -> str:
    if not isinstance(item, Mapping):
        return str(item)
    return "  ".join(f"{k}: {v if isinstance(v, (str, int, float)) else json.dumps(v)}" for k, v in item.items())
