"""Values of somebody's services: secrets go to ``.env`` under a name, references get their values."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from homelab_mcp.core.importing.custom import variable_name
from homelab_mcp.core.redact import is_public_name, is_secret_name
from homelab_mcp.core.redact_shapes import has_token, looks_random
from homelab_mcp.core.variables import lab_variables
from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.lab import LabSettings

REFERENCE = re.compile(
    r"\$\$|\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?:(?P<sign>:?[-?+])(?P<rest>[^{}]*))?\}|\$(?P<bare>[A-Za-z_][A-Za-z0-9_]*)"
)
_LOGIN = re.compile(r"(?P<head>[a-z][a-z0-9+.-]{1,30}://[^\s/:@'\"$]{0,100}:)(?P<word>[^\s/@'\"${}]{1,256})(?=@)")
_KNOWN_TO_ALL = re.compile(
    r"change.?(me|this|it)|your[-_ ]|example|passw(or)?d|secret|admin|xxx|1234|<[^>]*>|\.\.\.|test|default|"
    r"supersecure|insert|replace|todo|mysql|postgres|mariadb|redis|root|user|hunter2",
    re.IGNORECASE,
)
_MADE_HERE = re.compile(
    r"(PASS(WORD|WD|PHRASE)?|PWD|SECRET|SECRET_KEY|ENCRYPTION_KEY|APP_KEY|JWT\w*|SALT)$", re.IGNORECASE
)
"""Names of secrets that this stack's own services agree on, so that a new one serves; tokens come from elsewhere."""
_SWITCH = frozenset({"", "true", "false", "yes", "no", "on", "off", "0", "1", "none", "null"})
_LEAST = 12
"""Characters below which a password counts as one that everybody can guess."""


@dataclass(slots=True)
class Values:
    """What goes to ``.env``, and what is said of it.

    Args:
        settings: the lab's.
        existing: the stack's ``.env`` as it is.
        given: values that came along or that a person gave.
        make: makes a secret of a kind and length.
        ours: names of a text's own that stand for something of the lab.
    """

    settings: LabSettings
    existing: Mapping[str, str]
    given: Mapping[str, str]
    make: Callable[[str, int], str]
    added: dict[str, str] = field(default_factory=dict)
    secrets: list[str] = field(default_factory=list)
    moved: list[str] = field(default_factory=list)
    made: list[str] = field(default_factory=list)
    missing: dict[str, bool] = field(default_factory=dict)
    _known: dict[str, str] = field(default_factory=dict)

    def learn(self, service: str, pairs: Mapping[str, str | None]) -> None:
        """Give a service's secrets their names, before the same values are met inside of addresses."""
        for name, value in pairs.items():
            if value is not None and self._is_secret(name, value):
                self._secret(service, name, value)

    def environment(self, service: str, pairs: Mapping[str, str | None]) -> dict[str, str]:
        """A service's variables as its compose block has them."""
        found: dict[str, str] = {"TZ": "${TZ}"}
        for name, value in pairs.items():
            if name in {"TZ", "PUID", "PGID"}:
                found[name] = f"${{{name}}}"
            elif value is None:
                found[name] = self.text(f"${{{name}}}")
            elif self._is_secret(name, value):
                found[name] = f"${{{self._secret(service, name, value)}}}"
            else:
                found[name] = self.text(self._without_login(service, name, value))
        return found

    def text(self, text: str) -> str:
        """A text with its references settled: each has a value in ``.env`` afterwards, or a default of its own."""
        return REFERENCE.sub(self._reference, text)

    def everything(self, value: Any) -> Any:
        """:meth:`text` on every text inside mappings and lists."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {k: self.everything(v) for k, v in value.items()}
        return [self.everything(v) for v in value] if isinstance(value, list) else value

    def check(self) -> None:
        """Raise InvalidInput (``missing_input``) where a reference has no value."""
        if not self.missing:
            return
        secret = [n for n, is_secret in self.missing.items() if is_secret]
        ways = []
        if len(secret) < len(self.missing):
            ways.append("Give non-secret ones in 'variables'.")
        ways += [f"A person sets {n} with `homelab-mcp env set STACK {n}`, never through the model." for n in secret]
        raise InvalidInput(
            f"Values are missing: {', '.join(self.missing)}.",
            hint=" ".join(ways),
            code="missing_input",
            details={"variables": [{"name": n, "secret": s} for n, s in self.missing.items()]},
        )

    def _reference(self, found: re.Match[str]) -> str:
        name = found["name"] or found["bare"]
        if not name:
            return found[0]
        lab = lab_variables(self.settings)
        value = self.existing.get(name) or self.added.get(name)
        if not value and name in lab:
            self.added[name] = lab[name]
        elif not value and name in self.given and (self.given[name] or (found["sign"] or "")[-1:] != "?"):
            self._add(name, self.given[name])
        elif not value and (found["sign"] or "")[-1:] not in {"-", "+"}:
            if is_secret_name(name) and _MADE_HERE.search(name):
                self._add(name, self.make("alnum", 32), made=True)
            else:
                self.missing[name] = is_secret_name(name)
        return found[0] if found["name"] else f"${{{name}}}"

    def _is_secret(self, name: str, value: str) -> bool:
        if "$" in value.replace("$$", ""):
            return False
        if name.upper().endswith("_FILE") or value.lower() in _SWITCH or (value.isdigit() and len(value) < 4):
            return False
        # A password inside an address is taken out of it by itself.
        login = _LOGIN.search(value) is not None
        named = is_secret_name(name) and not is_public_name(name)
        return (named and not login) or (
            not login and (has_token(value) or (looks_random(value) and "KEY" in name.upper()))
        )

    def _without_login(self, service: str, name: str, value: str) -> str:
        def put(found: re.Match[str]) -> str:
            return f"{found['head']}${{{self._secret(service, f'{name}_PASSWORD', found['word'])}}}"

        return _LOGIN.sub(put, value)

    def _secret(self, service: str, name: str, value: str) -> str:
        value = value.replace("$$", "$")
        if value in self._known:
            return self._known[value]
        variable = variable_name(service, name)
        while variable in self.added or (variable in self.existing and self.existing[variable] != value):
            variable = f"{variable[:60]}_2"
        self._known[value] = variable
        if variable in self.existing:
            return variable
        weak = len(value) < _LEAST or _KNOWN_TO_ALL.search(value)
        if weak and _MADE_HERE.search(name):
            self._add(variable, self.make("alnum", 32), made=True)
        else:
            self._add(variable, value)
            self.moved.append(variable)
        return variable

    def _add(self, name: str, value: str, *, made: bool = False) -> None:
        self.added[name] = value
        if made:
            self.made.append(name)
        if made or is_secret_name(name):
            self.secrets.append(value)


def pairs_of(part: Any) -> dict[str, str | None]:
    """``environment`` or ``labels`` from either form; None: a name without a value."""
    if isinstance(part, Mapping):
        return {str(k): None if v is None else _plain(v) for k, v in part.items()}
    found: dict[str, str | None] = {}
    for item in part if isinstance(part, list) else ():
        name, equals, value = str(item).partition("=")
        found[name] = value if equals else None
    return found


def _plain(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
