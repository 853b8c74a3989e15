"""Which variables of ``.env`` a service needs, and where each value comes from."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from homelab_mcp.core.env_file import check_value
from homelab_mcp.model.definition import Variable
from homelab_mcp.model.errors import InvalidInput, asks
from homelab_mcp.model.lab import LabSettings

_FROM_SETTINGS = {"VPN_SERVICE_PROVIDER": "vpn_provider"}
"""Variables whose default is a setting, where a definition has none of its own to offer."""


@dataclass(slots=True)
class Filled:
    """Values to write (``added``), every value in use, which are secret, and what a person should know."""

    added: dict[str, str] = field(default_factory=dict)
    values: dict[str, str] = field(default_factory=dict)
    secrets: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def lab_variables(settings: LabSettings) -> dict[str, str]:
    """The lab's settings as the variables compose files refer to."""
    return {
        "DOMAIN": settings.domain,
        "TZ": settings.timezone,
        "PUID": str(settings.puid),
        "PGID": str(settings.pgid),
        "MEDIA_DIR": settings.media_dir,
        "DOWNLOADS_DIR": settings.downloads_dir,
    }


@contextmanager
def asked_in(stack: str) -> Iterator[None]:
    """Say in a refusal for want of values which stack they belong to, where only a person can give them."""
    try:
        yield
    except InvalidInput as error:
        missing = error.details.get("variables", ())
        if error.code == "missing_input" and missing and all(v["secret"] for v in missing):
            error.details |= asks(stack, [v["name"] for v in missing])
        raise


def fill(
    used: Iterable[str],
    variables: Sequence[Variable],
    given: Mapping[str, str],
    existing: Mapping[str, str],
    settings: LabSettings,
    secrets: Callable[[str, int], str],
) -> Filled:
    """Decide every variable's value: given, already there, generated, default, or asked for.

    Args:
        used: names that the service's blocks refer to.
        variables: what the definition (and its gateway) declare.
        given: values the person gave for non-secret ones.
        existing: the stack's ``.env`` as it is; its values are kept.
        settings: the lab's.
        secrets: makes a secret of a kind and length.

    Raises:
        InvalidInput: unknown or secret names in ``given``, values that do not fit, or required ones missing (code
            ``missing_input``; ``details["variables"]`` lists name, description and secret).
    """
    declared = {v.name: v for v in variables}
    _check_given(given, declared)
    filled = Filled(values=dict(existing))
    lab = lab_variables(settings)
    for name in dict.fromkeys(used):
        if name in lab and name not in declared and not existing.get(name):
            filled.added[name] = lab[name]
    missing: list[Variable] = []
    for variable in declared.values():
        value = _value(variable, given, existing, secrets)
        if value is None:
            value = _from_settings(variable, settings)
        if value is None:
            missing.append(variable)
            continue
        if variable.secret and value:
            filled.secrets.append(value)
        if existing.get(variable.name) != value:
            if existing.get(variable.name):
                filled.notes.append(f"{variable.name} in .env gets another value than it had.")
            filled.added[variable.name] = value
    if missing:
        raise _missing(missing)
    filled.values.update(filled.added)
    return filled


def _value(
    variable: Variable, given: Mapping[str, str], existing: Mapping[str, str], secrets: Callable[[str, int], str]
) -> str | None:
    if variable.name in given:
        return given[variable.name]
    if existing.get(variable.name):
        return existing[variable.name]
    if variable.generate:
        return secrets(variable.generate.kind, variable.generate.length)
    if variable.default is not None:
        return variable.default
    return None if variable.required else ""


def _from_settings(variable: Variable, settings: LabSettings) -> str | None:
    name = _FROM_SETTINGS.get(variable.name)
    return (getattr(settings, name) or None) if name else None


def _check_given(given: Mapping[str, str], declared: Mapping[str, Variable]) -> None:
    for name, value in given.items():
        variable = declared.get(name)
        if variable is None:
            open_names = [v.name for v in declared.values() if not v.secret]
            raise InvalidInput(
                f"The service has no variable {name}.",
                hint=f"It takes {', '.join(open_names)}." if open_names else "It takes none.",
                code="unknown_variable",
            )
        if variable.secret:
            raise InvalidInput(
                f"{name} is a secret, and secrets do not pass through a request.",
                hint=f"A person sets it with `homelab-mcp env set STACK {name}`; generated ones need nothing.",
                code="secret_in_argument",
            )
        check_value(name, value)
        if variable.choices and value not in variable.choices:
            raise InvalidInput(f"{name} is one of {', '.join(variable.choices)}.", code="bad_value")
        if variable.pattern and not re.fullmatch(variable.pattern, value):
            raise InvalidInput(f"The value of {name} does not have the form it needs.", hint=variable.description)


def _missing(missing: Sequence[Variable]) -> InvalidInput:
    described = "; ".join(f"{v.name} ({v.description.rstrip('.')})" for v in missing)
    ways = []
    if any(not v.secret for v in missing):
        ways.append("Give non-secret ones in 'variables'.")
    for name in (v.name for v in missing if v.secret):
        ways.append(f"A person sets {name} with `homelab-mcp env set STACK {name}`, never through the model.")
    return InvalidInput(
        f"Values are missing: {described}.",
        hint=" ".join(ways),
        code="missing_input",
        details={"variables": [{"name": v.name, "description": v.description, "secret": v.secret} for v in missing]},
    )
