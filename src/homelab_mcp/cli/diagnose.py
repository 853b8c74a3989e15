"""``homelab-mcp diagnose``, and ``start``, ``stop``, ``restart``, ``recreate``, ``pause`` and ``unpause``."""

from __future__ import annotations

from collections.abc import Callable
from shlex import quote
from typing import Annotated, Any

import typer

from homelab_mcp.cli.common import FAILED, JsonFlag, console, emit, lab_of
from homelab_mcp.cli.plan_flow import PlanOnly, proposed

VERBS = {
    "start": "Plan to start services, or a whole stack.",
    "stop": "Plan to stop services, or a whole stack; their data stays.",
    "restart": "Plan to restart services; changed settings are loaded by recreate.",
    "recreate": "Plan to make containers anew from their file; their data stays.",
    "pause": "Plan to freeze services; they keep their memory.",
    "unpause": "Plan to let paused services go on.",
}


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(diagnose)
    for verb, help_text in VERBS.items():
        app.command(verb, help=help_text)(_control(verb))


def diagnose(
    ctx: typer.Context,
    service: Annotated[str, typer.Argument(help="service or stack/service.")],
    what: Annotated[str, typer.Option(help="service, route, auth, connectivity or permissions.")] = "service",
    to: Annotated[str, typer.Option(help="For connectivity: whom it cannot reach.")] = "",
    error: Annotated[str, typer.Option(help="What you saw, such as the text of an error page.")] = "",
    as_json: JsonFlag = False,
) -> None:
    """Why a service does not work: ranked causes, each with what settles it. Exits 1 where there are any."""
    from homelab_mcp.queries.diagnose import diagnosis

    asked = "connectivity" if to and what == "service" else what
    found = diagnosis(lab_of(ctx), service, what=asked, b=to, error=error)
    emit(found, as_json, lambda: _show(found))
    raise typer.Exit(FAILED if found["causes"] else 0)


def _show(found: dict[str, Any]) -> None:
    from rich.text import Text

    out = console()
    out.print(Text.assemble((found["service"], "bold"), f"  {found['state']}"))
    for check in found["checks"]:
        mark = ("  ok  ", "green") if check["ok"] else ("  BAD ", "red")
        out.print(Text.assemble(mark, check["check"], (f"  {check.get('seen', '')}", "dim")))
    for number, cause in enumerate(found["causes"], 1):
        out.print(Text.assemble(f"\n{number}. ", (cause["title"], "bold"), f"  {round(cause['confidence'] * 100)} %"))
        for seen in cause["evidence"]:
            out.print(Text(f"     {seen}", style="dim"))
        fix = cause["fix"]
        out.print(Text(f"   → {fix['what']}{f'  ({command(fix)})' if fix.get('tool') else ''}"))
    out.print(Text(f"\n{found['next']}" if not found["causes"] else ""))


def command(fix: dict[str, Any]) -> str:
    """The command that makes the same plan as a remedy's tool call."""
    given = dict(fix.get("arguments", {}))
    place = "/".join(str(given[k]) for k in ("stack", "service") if given.get(k))
    match fix["tool"]:
        case "control_service":
            return f"homelab-mcp {given['action']} {place}"
        case "set_env":
            made = "".join(f" {n}" for n in given.get("generate", ()))
            typed = "".join(f" {n}" for n in given.get("values", ()))
            return f"homelab-mcp env set {given['stack']}{typed or made}{' --generate' if made and not typed else ''}"
        case "update_service":
            rest = {k: v for k, v in given.items() if k not in ("service", "stack")}
            return f"homelab-mcp update {given['service']} --stack {given['stack']} {_options(rest)}"
        case "fix_permissions":
            owner = f" --owner {given['owner']}" if given.get("owner") else ""
            return f"homelab-mcp fix-permissions {given['service']} --stack {given['stack']}{owner}"
        case "connect_services":
            return f"homelab-mcp connect-services {given['a']} {given['b']}"
        case "rollback":
            return f"homelab-mcp rollback {given['plan_id']}"
        case "add_service":
            return f"homelab-mcp add {given['service']}"
        case "fix_compose":
            return "homelab-mcp validate --fix"
        case "validate_compose":
            return "homelab-mcp validate"
        case "read_logs":
            return f"homelab-mcp logs {' '.join(given.get('services', ()))}"
        case _:
            return f"homelab-mcp {fix['tool']} {place}"


def _options(given: dict[str, Any]) -> str:
    words = []
    for name, value in given.items():
        given_as = {"limits": "--limit", "env_set": "--env", "repairs": "--repair"}
        flag = given_as.get(name, f"--{name.replace('_', '-')}")
        if isinstance(value, dict):
            words += [f"{flag} {quote(f'{k}={v}')}" for k, v in value.items()]
        elif isinstance(value, list):
            words += [f"{flag} {quote(str(one))}" for one in value]
        else:
            words.append(f"{flag} {quote(str(value))}")
    return " ".join(words)


def _control(verb: str) -> Callable[..., None]:
    def act(
        ctx: typer.Context,
        services: Annotated[list[str] | None, typer.Argument(help="Services: service or stack/service.")] = None,
        stack: Annotated[str, typer.Option(help="Their stack; alone: all of it.")] = "",
        plan_only: PlanOnly = False,
        as_json: JsonFlag = False,
    ) -> None:
        from homelab_mcp.model.plan import Requester
        from homelab_mcp.workflow.propose_control import propose_control

        lab = lab_of(ctx)
        plan = propose_control(lab, verb, services or [], stack, Requester(via="cli"))
        raise typer.Exit(proposed(lab, plan, as_json=as_json, plan_only=plan_only))

    return act
