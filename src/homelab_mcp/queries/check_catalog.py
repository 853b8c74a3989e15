"""Whether catalog entries hold what they promise: the rules, the generator's output, and the linter's word on it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from homelab_mcp.core.catalog import Catalog
from homelab_mcp.core.catalog_explained import explanation
from homelab_mcp.core.catalog_rules import catalog_findings
from homelab_mcp.core.checks import LintStack, lint
from homelab_mcp.core.compose_edit import new_document
from homelab_mcp.core.generator import Generated, generate
from homelab_mcp.core.operations.request import ServiceOptions
from homelab_mcp.core.traefik import traefik_parts
from homelab_mcp.core.variables import lab_variables
from homelab_mcp.model.definition import ServiceDefinition, Variable
from homelab_mcp.model.errors import HomelabError
from homelab_mcp.model.finding import Severity
from homelab_mcp.model.lab import LabSettings

SETTINGS = LabSettings(domain="example.org")
_ROOT = "/opt/stacks"
_PROVIDER = "mullvad"
"""A VPN provider that the linter knows."""
_ANSWERS = ("x1", "1", "admin@example.org", "https://x.example.org")


@dataclass(frozen=True, slots=True)
class Checked:
    """One entry: its level, what is wrong (errors), and what its reader should know (warnings the linter gives).

    A warning whose reason the entry does not give is among ``unexplained`` too.
    """

    id: str
    category: str
    level: str
    problems: tuple[str, ...]
    warnings: tuple[str, ...] = ()
    unexplained: tuple[str, ...] = ()


def check_catalog(catalog: Catalog, only: Iterable[str] = ()) -> list[Checked]:
    """Every entry checked, or only those named; definitions of the lab that cannot be read come first."""
    everything = catalog.all()
    wanted = {catalog.get(name).id for name in only} or {definition.id for definition in everything}
    broken = [] if only else catalog.problems.items()
    return [
        *(Checked(name, "", "unreadable", (error.message,)) for name, error in broken),
        *(_checked(definition, everything) for definition in everything if definition.id in wanted),
    ]


def _checked(definition: ServiceDefinition, everything: tuple[ServiceDefinition, ...]) -> Checked:
    problems = catalog_findings(definition, everything)
    warnings: list[str] = []
    unexplained: list[str] = []
    try:
        made, env = generated(definition, everything)
    except HomelabError as error:
        problems.append(f"generator: {error.message}")
    else:
        text = new_document(made.services, networks=made.networks, urls=made.urls)
        for finding in lint([LintStack("check", "check/compose.yaml", text, env)]):
            said = f"{finding.rule}: {finding.message}"
            if finding.severity is Severity.ERROR:
                problems.append(said)
                continue
            reason = explanation(definition, finding)
            warnings.append(f"{said} Meant so: {reason}" if reason else said)
            unexplained += [] if reason else [said]
    return Checked(
        definition.id, definition.category, definition.level, tuple(problems), tuple(warnings), tuple(unexplained)
    )


def generated(
    definition: ServiceDefinition, everything: Iterable[ServiceDefinition]
) -> tuple[Generated, dict[str, str]]:
    """What the entry becomes in a lab of its own, and the ``.env`` for it, with made-up answers.

    Raises:
        HomelabError: the generator refuses it.
    """
    by_id = {each.id: each for each in everything}
    gateway = by_id.get(definition.gateway or "")
    answers = made_up((*definition.variables, *(gateway.variables if gateway else ())))
    if definition.id == "traefik":
        answers |= made_up(traefik_parts(SETTINGS).variables)
    made = generate(
        definition,
        SETTINGS,
        ServiceOptions(),
        secrets=lambda _, length: "s" * length,
        argon2=lambda value: f"$argon2id${value}",
        existing_env=answers,
        root=_ROOT,
        gateway=gateway,
    )
    return made, {**lab_variables(SETTINGS), **answers, **made.env}


def made_up(variables: Iterable[Variable]) -> dict[str, str]:
    """A value that is allowed, for each variable that a person would be asked for."""

    def answers() -> Iterator[tuple[str, str]]:
        for variable in variables:
            if not variable.required or variable.default is not None or variable.generate:
                continue
            tried = variable.choices or ((_PROVIDER,) if variable.name == "VPN_SERVICE_PROVIDER" else _ANSWERS)
            fits = [each for each in tried if re.fullmatch(variable.pattern or ".*", each)]
            yield variable.name, fits[0] if fits else ""

    return dict(answers())
