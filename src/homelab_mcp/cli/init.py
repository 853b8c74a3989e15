"""``homelab-mcp init``."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from homelab_mcp.cli.common import JsonFlag, at_terminal, console, emit, globals_of, lab_of
from homelab_mcp.cli.plan_flow import PinFile, PlanOnly, proposed
from homelab_mcp.core.agents_page import AGENTS
from homelab_mcp.core.prerequisites import HOME_DOMAIN

if TYPE_CHECKING:
    from homelab_mcp.model.plan import Plan
    from homelab_mcp.ports import Lab


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def init(
        ctx: typer.Context,
        domain: Annotated[str, typer.Option(help="Services are reached at <name>.<domain>; home.arpa if unset.")] = "",
        email: Annotated[str, typer.Option(help="For the certificate authority's account.")] = "",
        timezone: Annotated[str, typer.Option(help="Such as Europe/Berlin.")] = "",
        puid: Annotated[int, typer.Option(help="User id that services run as; -1: yours.")] = -1,
        pgid: Annotated[int, typer.Option(help="Group id that services run as; -1: yours.")] = -1,
        media_dir: Annotated[str, typer.Option(help="Where films, series and music are.")] = "",
        downloads_dir: Annotated[str, typer.Option(help="Where downloads go.")] = "",
        bind_address: Annotated[str, typer.Option(help="Host address for ports 80 and 443.")] = "",
        http_port: Annotated[int, typer.Option(help="Host port for HTTP.")] = 0,
        https_port: Annotated[int, typer.Option(help="Host port for HTTPS.")] = 0,
        acme_challenge: Annotated[str, typer.Option(help="dns, http, tls, or none (your own certificates).")] = "",
        dns_provider: Annotated[str, typer.Option(help="For the dns challenge: duckdns, cloudflare ...")] = "",
        staging: Annotated[
            bool | None, typer.Option("--staging/--no-staging", help="Let's Encrypt's staging CA, to try out.")
        ] = None,
        acme_ca_server: Annotated[str, typer.Option(help="ACME directory URL of a CA other than Let's Encrypt.")] = "",
        acme_ca_certificate: Annotated[str, typer.Option(help="PEM file that the CA's own API is trusted by.")] = "",
        root_certificate: Annotated[str, typer.Option(help="PEM file of a private CA's root, for probes.")] = "",
        vpn_provider: Annotated[str, typer.Option(help="What the VPN gateway is set up for.")] = "",
        route_network: Annotated[str, typer.Option(help="Docker network that Traefik shares with web services.")] = "",
        internal_network: Annotated[str, typer.Option(help="Docker network between services.")] = "",
        media_network: Annotated[str, typer.Option(help="Docker network between media services.")] = "",
        answers: Annotated[str, typer.Option(help="YAML file with settings as in homelab.yaml; options win.")] = "",
        core: Annotated[bool, typer.Option("--core", help="Plan the core: DNS, proxy, log-in, dashboard ...")] = False,
        without: Annotated[
            list[str] | None, typer.Option(help="A part of the core to leave out; may be repeated.")
        ] = None,
        env_file: Annotated[str, typer.Option(help="NAME=value file with the core's secrets (DUCKDNS_TOKEN).")] = "",
        agents: Annotated[
            bool, typer.Option("--agents", help="Also write AGENTS.md and Copilot's instructions for this lab.")
        ] = False,
        pin_file: PinFile = "",
        plan_only: PlanOnly = False,
        as_json: JsonFlag = False,
    ) -> None:
        """Make a lab, adopt a folder of stacks, or change a lab's settings: nothing that is there is rewritten.

        Asks at a terminal what was not given. In a lab that is there, shows its settings, and plans what is given.
        """
        from homelab_mcp.cli import init_ask

        lab = lab_of(ctx)
        given = {
            "domain": domain,
            "email": email,
            "timezone": timezone,
            "puid": puid if puid >= 0 else None,
            "pgid": pgid if pgid >= 0 else None,
            "media_dir": media_dir,
            "downloads_dir": downloads_dir,
            "bind_address": bind_address,
            "http_port": http_port or None,
            "https_port": https_port or None,
            "route_network": route_network,
            "internal_network": internal_network,
            "media_network": media_network,
            "vpn_provider": vpn_provider,
            "acme.challenge": acme_challenge,
            "acme.dns_provider": dns_provider,
            "acme.staging": staging,
            "acme.ca_server": acme_ca_server,
            "acme.ca_certificate": acme_ca_certificate,
            "acme.root_certificate": root_certificate,
        }
        given = {k: v for k, v in given.items() if v not in ("", None)}
        given = {**(init_ask.read_answers(answers) if answers else {}), **given}
        plan = _set_up(ctx, lab, given, pin_file, as_json=as_json, quiet=core, agents=agents)
        if plan is None and core:
            plan = _core(lab, without or [], init_ask.secrets_for(lab, env_file), as_json=as_json)
        if plan is not None:
            raise typer.Exit(proposed(lab, plan, as_json=as_json, plan_only=plan_only))


def _set_up(
    ctx: typer.Context, lab: Lab, given: dict[str, Any], pin_file: str, *, as_json: bool, quiet: bool, agents: bool
) -> Plan | None:
    """The lab made or adopted and told of; a plan where a lab that is there is to be changed."""
    from homelab_mcp.cli.doctor import show_checks
    from homelab_mcp.cli.init_ask import ask
    from homelab_mcp.model.lab import SETTINGS_FILE
    from homelab_mcp.queries.doctor import machine
    from homelab_mcp.workflow.init_lab import init_lab

    fresh = lab.files.read(SETTINGS_FILE) is None
    values = _defaults(lab, given) if fresh else {}
    if fresh and at_terminal() and not as_json:
        values = ask(values, given)
    report = init_lab(lab, _certified(values), _new_pin(lab.approver.exists(), pin_file, as_json))
    report = replace(report, made=(*report.made, *(_agents(lab) if agents else ())))
    if not fresh and (changed := _changed(lab, given)):
        from homelab_mcp.model.plan import Requester
        from homelab_mcp.workflow.propose_setup import propose_settings

        return propose_settings(lab, changed, Requester(via="cli"))
    checks = list(machine(lab, lab.settings)) if not quiet or not as_json else []

    def show() -> None:
        out = console()
        out.print(f"Lab at {report.root}")
        out.print(f"  made: {', '.join(report.made) or 'nothing: all was there'}")
        if report.stacks:
            out.print(f"  adopted as they are: {', '.join(report.stacks)}")
        if SETTINGS_FILE in report.kept:
            out.print(f"  kept as it is: {SETTINGS_FILE}; options of `init` plan changes of it")
        settings = lab.settings
        home = " (for the home network alone)" if settings.domain == HOME_DOMAIN else ""
        out.print(f"  domain: {settings.domain}{home}")
        how = f"dns by {settings.acme.dns_provider}" if settings.acme.challenge == "dns" else settings.acme.challenge
        out.print(f"  certificates: {how}{' (staging)' if settings.acme.staging else ''}")
        out.print(f"  time zone: {settings.timezone}   services run as: {settings.puid}:{settings.pgid}")
        out.print(f"  media: {settings.media_dir}   downloads: {settings.downloads_dir}")
        if settings.vpn_provider:
            out.print(f"  VPN: {settings.vpn_provider}")
        if not report.pin_set:
            out.print("  no approval PIN yet: run `homelab-mcp init` at a terminal to set one")
        if not report.pin_counts:
            out.print("  another approval key is on record here: `homelab-mcp approver accept` lets this one count")
        show_checks(c for c in checks if c.level != "ok")
        if not quiet:
            out.print(f"Next: homelab-mcp --root {globals_of(ctx).root} init --core")
            if offer := _offer(lab):
                out.print(offer)

    if not (quiet and as_json):
        emit({**asdict(report), "checks": [{**asdict(c), "level": c.level} for c in checks]}, as_json, show)
    return None


def _agents(lab: Lab) -> tuple[str, ...]:
    from homelab_mcp.workflow.agents import write_agents

    return write_agents(lab)


def _offer(lab: Lab) -> str:
    there = lab.files.read(AGENTS) is not None
    return "" if there else "AI tools opened in the lab's folder read AGENTS.md: `init --agents` writes one"


def _core(lab: Lab, without: list[str], secrets: dict[str, str], *, as_json: bool) -> Plan:
    """The plan of the core stack; at a terminal a person is asked for what only they have, unseen."""
    from homelab_mcp.cli.init_ask import ask_secrets, missing_secrets
    from homelab_mcp.model.errors import HomelabError, InvalidInput
    from homelab_mcp.model.plan import Requester
    from homelab_mcp.workflow.propose_setup import propose_core

    while True:
        try:
            return propose_core(lab, without, Requester(via="cli"), given=secrets)
        except HomelabError as error:
            names = missing_secrets(error)
            # What was asked for once and is still missing would be asked for again without end.
            if not names or all(secrets.get(name) for name in names):
                raise
            if as_json or not at_terminal():
                raise InvalidInput(
                    error.message,
                    hint=f"Run it in a terminal, which asks, or add --env-file FILE with a line {names[0]}=VALUE.",
                    code=error.code,
                    details=error.details,
                ) from None
            secrets |= ask_secrets(names, error)


def _defaults(lab: Lab, given: dict[str, Any]) -> dict[str, Any]:
    """A new lab's settings: as given, else as an adopted folder tells, else this machine's guesses."""
    from homelab_mcp.cli.init_ask import default_id, machine_timezone
    from homelab_mcp.workflow.init_lab import known_values

    known = known_values(lab.files)
    guesses = {
        "domain": HOME_DOMAIN,
        "timezone": machine_timezone(),
        "puid": default_id("SUDO_UID"),
        "pgid": default_id("SUDO_GID"),
    }
    guessed = {k: v for k, v in guesses.items() if v not in ("", None)}
    return {**guessed, **known, **given}


def _certified(values: dict[str, Any]) -> dict[str, Any]:
    """With no authority for a domain that none gives certificates for, and no provider has, unless one was named."""
    if values.get("domain") != HOME_DOMAIN or "acme.dns_provider" in values:
        return values
    return {"acme.challenge": "none", **values}


def _changed(lab: Lab, given: dict[str, Any]) -> dict[str, Any]:
    """Those of the given settings that a lab does not have so already."""
    settings = lab.settings

    def now(name: str) -> Any:
        value: Any = settings
        for part in name.split("."):
            value = getattr(value, part, None)
        return list(value) if isinstance(value, tuple) else value

    return {name: value for name, value in given.items() if now(name) != value}


def _new_pin(there: bool, pin_file: str, as_json: bool) -> str:
    if there:
        return ""
    if pin_file:
        from homelab_mcp.cli.plan_flow import read_pin

        return read_pin(pin_file)
    if as_json or not at_terminal():
        return ""
    answer: str = typer.prompt(
        "Choose an approval PIN (6 characters or more; empty: later)",
        hide_input=True,
        default="",
        show_default=False,
        confirmation_prompt=True,
        err=True,
    )
    return answer
