"""Tool ``setup_lab``.

A lab that is not there yet is made by a person at a terminal, who also chooses the approval PIN there: this tool asks
them for the settings through the client where it can, and returns the command. In a lab that is there it returns a
plan, or what is and what is missing.

Annotations are evaluated here at once (no ``from __future__``): the SDK must see the resolver in them.
"""

import shlex
from typing import Annotated, Any, Literal

from mcp.server import MCPServer
from mcp.server.elicitation import AcceptedElicitation, ElicitationResult
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.resolve import Elicit, Resolve
from mcp_types import CallToolResult
from pydantic import BaseModel, ConfigDict, Field

from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.lab import SETTINGS_FILE
from homelab_mcp.model.plan import Plan
from homelab_mcp.ports import Lab
from homelab_mcp.tools.plan_result import PLAN_ONLY, plan_result
from homelab_mcp.tools.shape import can_ask, guarded, in_thread, requester, result

Part = Literal["duckdns", "traefik", "authelia", "sablier", "dockge", "homepage"]

_OPTIONS = {"acme.dns_provider": "dns-provider", "acme.challenge": "acme-challenge", "acme.staging": "staging"}

_LONGEST_NAME = 60


class Answers(BaseModel):
    """What the person fills in where there is no lab yet."""

    domain: str = Field(description="Such as example.duckdns.org.", min_length=3)
    email: str = Field(default="", description="For the certificate authority.")
    timezone: str = Field(default="Etc/UTC", description="Such as Europe/Berlin.")
    puid: int = Field(default=0, description="User id that services run as; 0: the person's own.", ge=0)
    pgid: int = Field(default=0, description="Group id that services run as; 0: the person's own.", ge=0)
    dns_provider: str = Field(default="duckdns", description="Proves that the domain is yours.")
    vpn_provider: str = Field(default="", description="For downloads; empty: none.")
    media_dir: str = Field(default="/mnt/media", description="Films, series, music.")
    downloads_dir: str = Field(default="/mnt/downloads", description="Downloads.")


class NotAsked(Answers):
    """No question was put to anybody."""

    domain: str = ""


class SetupOutput(BaseModel):
    """A plan (``plan_id``, ``state``, ``diff``), or what the lab and its machine are like; ``next`` in each."""

    model_config = ConfigDict(extra="allow")

    plan_id: str = ""
    next: str


def register(server: MCPServer[Any], lab: Lab) -> None:
    """Add the tool to the server."""

    def missing() -> bool:
        return lab.files.read(SETTINGS_FILE) is None

    async def ask(settings: dict[str, str], ctx: Context[Any]) -> Elicit[Answers] | Answers:
        if "domain" in settings or not can_ask(ctx) or not await in_thread(missing):
            return NotAsked()
        return Elicit(f"There is no lab at {lab.root} yet. What should it be like?", Answers)

    @guarded
    async def setup_lab(
        ctx: Context[Any],
        answers: Annotated[ElicitationResult[Answers], Resolve(ask)],
        settings: Annotated[
            dict[str, str],
            Field(
                description="Settings to change: domain, email, timezone, puid, pgid, acme.dns_provider, "
                "acme.challenge (dns, http, tls, none), acme.staging, vpn_provider, media_dir, downloads_dir, ...",
                max_length=20,
            ),
        ] = {},  # noqa: B006
        core: Annotated[bool, Field(description="Plan the core: DNS, proxy, log-in, dashboard.")] = False,
        without: Annotated[list[Part], Field(description="Parts of the core to leave out.")] = [],  # noqa: B006
    ) -> Annotated[CallToolResult, SetupOutput]:
        if any(len(name) > _LONGEST_NAME for name in settings):
            raise InvalidInput("No setting has so long a name.", hint="Settings are named such as domain or puid.")
        values = {name: _value(text) for name, text in settings.items() if text}
        if await in_thread(missing):
            if isinstance(answers, AcceptedElicitation) and answers.data.domain:
                given = answers.data.model_dump()
                given["acme.dns_provider"] = given.pop("dns_provider")
                values |= {k: v for k, v in given.items() if v}
            return result(SetupOutput(next=_command(lab.root, values)))
        plan = await in_thread(_plan, lab, values, core, without, requester(ctx))
        return await plan_result(lab, plan) if plan is not None else result(await in_thread(_seen, lab))

    server.add_tool(
        setup_lab,
        name="setup_lab",
        title="Set the lab up",
        description="First set-up. Without arguments: the lab's settings, what its machine lacks, and which parts of "
        "the core are missing. With settings: a plan that changes them; with core: one plan that adds the core. "
        "Changes nothing itself. Secrets such as a DNS token are the person's to enter.",
        annotations=PLAN_ONLY,
    )


def _plan(lab: Lab, values: dict[str, Any], core: bool, without: list[str], who: Any) -> Plan | None:
    from homelab_mcp.workflow.propose_setup import propose_core, propose_settings

    if values:
        return propose_settings(lab, values, who)
    return propose_core(lab, without, who) if core else None


def _seen(lab: Lab) -> SetupOutput:
    """The settings, the machine's checks that are not well, and the core's parts."""
    from homelab_mcp.queries.doctor import machine
    from homelab_mcp.queries.setup_state import core_state

    settings = lab.settings
    checks = [f"{c.level} {c.name}: {c.sentence} {c.hint}".strip() for c in machine(lab, settings) if c.level != "ok"]
    there, absent = core_state(lab)
    shown = settings.model_dump(mode="json", exclude={"lint", "backup_paths", "docker_socket"}, exclude_none=True)
    next_step = "Call setup_lab with core=true." if absent else "The core is there; add services with add_service."
    return SetupOutput.model_validate(
        {"next": next_step, "settings": shown, "not_well": checks, "core_there": there, "core_missing": absent}
    )


def _value(text: str) -> str | int | bool:
    """A setting's value as its file would have it."""
    if text in ("true", "false"):
        return text == "true"
    return int(text) if text.isdecimal() and len(text) < 11 else text


def _command(root: str, values: dict[str, Any]) -> str:
    options = " ".join(_option(name, value) for name, value in values.items())
    return (
        f"The person runs in a terminal, and chooses an approval PIN there: homelab-mcp --root {shlex.quote(root)} "
        f"init {options}".rstrip()
    )


def _option(name: str, value: Any) -> str:
    option = _OPTIONS.get(name, name.replace("_", "-"))
    if isinstance(value, bool):
        return f"--{option}" if value else f"--no-{option}"
    return f"--{option} {shlex.quote(str(value))}"
