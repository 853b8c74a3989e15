"""``homelab-mcp init``."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import typer

from homelab_mcp.cli.common import JsonFlag, at_terminal, console, emit, globals_of, lab_of
from homelab_mcp.cli.plan_flow import PinFile


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
        acme_challenge: Annotated[str, typer.Option(help="dns, http or tls.")] = "",
        dns_provider: Annotated[str, typer.Option(help="For the dns challenge: duckdns, cloudflare ...")] = "",
        acme_ca_server: Annotated[str, typer.Option(help="ACME directory URL of a CA other than Let's Encrypt.")] = "",
        acme_ca_certificate: Annotated[str, typer.Option(help="PEM file that the CA's own API is trusted by.")] = "",
        root_certificate: Annotated[str, typer.Option(help="PEM file of a private CA's root, for probes.")] = "",
        route_network: Annotated[str, typer.Option(help="Docker network that Traefik shares with web services.")] = "",
        internal_network: Annotated[str, typer.Option(help="Docker network between services.")] = "",
        pin_file: PinFile = "",
        as_json: JsonFlag = False,
    ) -> None:
        """Make a lab, or adopt a folder of stacks: nothing that is there is rewritten."""
        from homelab_mcp.model.lab import SETTINGS_FILE
        from homelab_mcp.workflow.init_lab import init_lab, known_values

        lab = lab_of(ctx)
        fresh = lab.files.read(SETTINGS_FILE) is None
        values: dict[str, Any] = {
            k: v
            for k, v in {
                "domain": domain,
                "email": email,
                "timezone": timezone or _machine_timezone(),
                "puid": puid if puid >= 0 else _default_id("SUDO_UID"),
                "pgid": pgid if pgid >= 0 else _default_id("SUDO_GID"),
                "media_dir": media_dir,
                "downloads_dir": downloads_dir,
                "bind_address": bind_address,
                "http_port": http_port or None,
                "https_port": https_port or None,
                "route_network": route_network,
                "internal_network": internal_network,
            }.items()
            if v not in ("", None)
        }
        acme = {
            "challenge": acme_challenge,
            "dns_provider": dns_provider,
            "ca_server": acme_ca_server,
            "ca_certificate": acme_ca_certificate,
            "root_certificate": root_certificate,
        }
        if any(acme.values()):
            values["acme"] = {k: v for k, v in acme.items() if v}
        known = known_values(lab.files)
        # What an existing lab says of itself wins over this machine's guesses.
        for key, given in (("timezone", timezone), ("puid", puid >= 0), ("pgid", pgid >= 0)):
            if not given and key in known:
                values.pop(key, None)
        if fresh and "domain" not in values and "domain" not in known:
            values["domain"] = _ask_domain(as_json)
        report = init_lab(lab, values, _new_pin(lab.approver.exists(), pin_file, as_json))

        def show() -> None:
            out = console()
            out.print(f"Lab at {report.root}")
            out.print(f"  made: {', '.join(report.made) or 'nothing: all was there'}")
            if report.stacks:
                out.print(f"  adopted as they are: {', '.join(report.stacks)}")
            if SETTINGS_FILE in report.kept:
                out.print(f"  kept as it is: {SETTINGS_FILE} (edit it to change the lab's settings)")
            if lab.settings.domain == HOME_DOMAIN:
                out.print(f"  domain: {HOME_DOMAIN}, for the home network alone; change it in {SETTINGS_FILE}")
            if not report.pin_set:
                out.print("  no approval PIN yet: run `homelab-mcp init` at a terminal to set one")
            if not report.pin_counts:
                out.print("  another approval key is on record here: `homelab-mcp approver accept` lets this one count")
            out.print(f"Next: homelab-mcp --root {globals_of(ctx).root} add traefik")

        emit(asdict(report), as_json, show)


HOME_DOMAIN = "home.arpa"
"""The domain set aside for home networks (RFC 8375); no public CA issues certificates for it."""


def _ask_domain(as_json: bool) -> str:
    if as_json or not at_terminal():
        return HOME_DOMAIN
    answer: str = typer.prompt("Domain (such as example.duckdns.org)", default=HOME_DOMAIN, err=True)
    return answer


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


def _machine_timezone() -> str:
    from pathlib import Path

    try:
        return Path("/etc/timezone").read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def _default_id(sudo_variable: str) -> int | None:
    import os

    value = os.environ.get(sudo_variable)
    if value and value.isdigit():
        return int(value)
    mine = os.getuid() if sudo_variable == "SUDO_UID" else os.getgid()
    # Services of a lab that root set up still run as the usual first user, never as root.
    return mine or None
