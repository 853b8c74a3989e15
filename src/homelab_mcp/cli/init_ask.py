"""What ``init`` asks a person at a terminal, or reads from a file of answers."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from homelab_mcp.core.prerequisites import HOME_DOMAIN
from homelab_mcp.model.errors import HomelabError, InvalidInput

if TYPE_CHECKING:
    from homelab_mcp.ports import Lab

_ASKED = (
    ("domain", "Domain (such as example.duckdns.org)", HOME_DOMAIN),
    ("email", "E-mail for the certificate authority (empty: none)", ""),
    ("timezone", "Time zone", "Etc/UTC"),
    ("puid", "User id that services run as", "1000"),
    ("pgid", "Group id that services run as", "1000"),
    ("media_dir", "Folder of films, series and music", "/mnt/media"),
    ("downloads_dir", "Folder of downloads", "/mnt/downloads"),
    ("acme.dns_provider", "DNS provider that proves the domain is yours (none: by ports 80 and 443)", "duckdns"),
    ("vpn_provider", "VPN provider for downloads (empty: none)", ""),
)

TRIES = 3
"""How often one question is put: who leaves it empty that often does not have the answer at hand."""


def read_answers(path: str) -> dict[str, Any]:
    """The settings in a file: as ``homelab.yaml`` has them, any part of it; groups come out with a dot.

    Raises:
        InvalidInput: it cannot be read, or is no mapping.
    """
    from homelab_mcp.core.yaml12 import load

    try:
        data = load(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"The answers cannot be read: {error}.", hint="Give the path of a YAML file.") from None
    if not isinstance(data, dict):
        raise InvalidInput("The file of answers holds no settings.", hint="It needs lines such as 'domain: ...'.")
    found: dict[str, Any] = {}
    for name, value in data.items():
        if isinstance(value, Mapping) and name in ("acme", "traefik"):
            found |= {f"{name}.{key}": item for key, item in value.items()}
        else:
            found[str(name)] = value
    return found


def ask(values: dict[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """``values`` with what a person answers to each question whose answer was not ``given``."""
    from homelab_mcp.core.traefik.providers import provider

    answers = dict(values)
    home = answers.get("domain") == HOME_DOMAIN
    for name, question, default in _ASKED:
        if name in given or (name == "acme.dns_provider" and ("acme.challenge" in given or home)):
            continue
        answer = typer.prompt(question, default=str(values.get(name, default)), err=True, show_default=True).strip()
        if name == "domain":
            home = answer == HOME_DOMAIN
        if name == "acme.dns_provider" and answer in ("none", "-"):
            answers["acme.challenge"] = "tls"
            continue
        for _ in range(TRIES):
            if name != "acme.dns_provider" or provider(answer) is not None or "acme.dns_variables" in given:
                break
            answer = typer.prompt("Not known; one of docs/setup.md, or duckdns", default="duckdns", err=True).strip()
        if answer:
            answers[name] = int(answer) if name in ("puid", "pgid") and answer.isdigit() else answer
    return answers


def secrets_for(lab: Lab, env_file: str) -> dict[str, str]:
    """Values for the core's ``.env`` from a file a person keeps; none without one.

    Raises:
        InvalidInput: it cannot be read.
    """
    from homelab_mcp.core.env_file import parse

    if not env_file:
        return {}
    try:
        return dict(parse(Path(env_file).read_text(encoding="utf-8")))
    except OSError as error:
        raise InvalidInput(f"{env_file} cannot be read: {error.strerror}.", hint="Give NAME=value lines.") from None


def missing_secrets(error: HomelabError) -> list[str]:
    """Names of the values that only a person has, of an error that says so."""
    wanted = error.details.get("variables")
    if error.code != "missing_input" or not isinstance(wanted, list):
        return []
    return [str(v["name"]) for v in wanted]


def ask_secrets(names: Sequence[str], error: HomelabError) -> dict[str, str]:
    """What a person types for each name, not shown on the terminal.

    Raises:
        InvalidInput: one was left empty :data:`TRIES` times; ``error``, which wanted it, says why.
    """
    return {name: _secret(name, error) for name in names}


def _secret(name: str, error: HomelabError) -> str:
    for _ in range(TRIES):
        # A default of nothing: without one the question is put again for ever.
        typed: str = typer.prompt(f"{name} (not shown)", hide_input=True, default="", show_default=False, err=True)
        if typed.strip():
            return typed.strip()
    raise InvalidInput(
        error.message,
        hint=f"{name} was left empty {TRIES} times. Come back when you have it, or keep it in a file with a line "
        f"{name}=VALUE, and add --env-file FILE.",
        code=error.code,
        details=error.details,
    )


def machine_timezone() -> str:
    """This machine's time zone, "" where it says none."""
    try:
        return Path("/etc/timezone").read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def default_id(sudo_variable: str) -> int | None:
    """The id that services run as: whoever called sudo, else this user; None for root."""
    value = os.environ.get(sudo_variable)
    if value and value.isdigit():
        return int(value)
    mine = os.getuid() if sudo_variable == "SUDO_UID" else os.getgid()
    # Services of a lab that root set up still run as the usual first user, never as root.
    return mine or None
