"""What it is told: variables, secrets, and the files it reads."""

from __future__ import annotations

import re
from collections.abc import Iterator

from homelab_mcp.core.diagnosis.clues import quoted, said
from homelab_mcp.core.redact import is_secret_name
from homelab_mcp.model.diagnosis import Cause, Facts, Remedy

_NEEDED = (
    r"\b([A-Z][A-Z0-9_]{2,40})\b[^A-Za-z]{0,4}(?i:environment variable |variable |env var )?"
    r"(?i:is |are |was |has |must be |cannot be |can't be )?"
    r"(?i:not set|required|missing|undefined|unset|empty|mandatory|not defined|not specified)"
    r"|(?i:missing|required|undefined|unset|must set|please set|specify|provide)\b[^A-Z]{0,40}"
    r"\b([A-Z][A-Z0-9]*_[A-Z0-9_]{1,40})\b"
)
_INVALID = (
    r"(?i:invalid|illegal|unknown|unsupported|bad|not a valid|could not parse|cannot parse|failed to parse)\b.{0,60}?"
    r"\b([A-Z][A-Z0-9]*_[A-Z0-9_]{1,40})\b"
    r"|\b([A-Z][A-Z0-9]*_[A-Z0-9_]{1,40})\b.{0,60}?"
    r"(?i:is invalid|not valid|must be|is not a|invalid|illegal|could not be parsed)"
)
_SYNTAX = (
    r"yaml: (?:line \d+|unmarshal)|error parsing (?:the )?config|did not find expected|mapping values are not allowed|"
    r"toml: |JSON(?:Decode|\.parse|5)?[ :]?(?:Error|error)|Unexpected token .{1,20} in JSON|"
    r"(?:config|configuration)(?: file)?\b.{0,60}\b(?:syntax error|parse error|invalid|malformed)|"
    r"(?:syntax error|parse error|unexpected end of file|unknown directive).{0,120}\.(?:conf|cfg|ini|ya?ml|toml|json)|"
    r"failed to (?:load|parse|read) (?:the )?config|Invalid config"
)


def causes(f: Facts) -> Iterator[Cause]:
    """Variables that have no value or a bad one, files that cannot be read as what they are."""
    yield from _refused(f)
    yield from _missing(f)
    yield from _bad(f)
    found = said(f, _SYNTAX)
    if found:
        fix = Remedy("Correct the file that the line names; then restart the service.")
        yield Cause("config_syntax", 0.86, "A configuration file of it cannot be read.", (quoted(found),), fix)


def _refused(f: Facts) -> Iterator[Cause]:
    if f.required:
        yield _set(f, f.required, 0.97, (f"Compose: {f.compose_error[:200]}",) if f.compose_error else ())
    elif f.compose_error:
        fix = Remedy("Correct the stack's file.", "validate_compose", {"stack": f.stack})
        seen: tuple[str, ...] = (f"Compose: {f.compose_error[:300]}",)
        yield Cause("compose_refused", 0.93, "Compose does not take the stack's files.", seen, fix)


def _missing(f: Facts) -> Iterator[Cause]:
    found = said(f, _NEEDED, re.NOFLAG)
    name = (found[1] or found[2]) if found else ""
    if found and name:
        mine = name if name in f.missing else next((m for m in f.missing if m in name or name in m), "")
        yield _set(f, (mine or name,), 0.95 if mine else 0.84, (quoted(found),))
    elif f.missing and not f.runs:
        yield _set(f, f.missing, 0.62, ())


def _set(f: Facts, names: tuple[str, ...], sure: float, seen: tuple[str, ...]) -> Cause:
    secret = [n for n in names if is_secret_name(n)]
    arguments: dict[str, object] = {"stack": f.stack}
    if secret:
        arguments["generate"] = secret
    if len(secret) < len(names):
        arguments["values"] = {n: "VALUE" for n in names if n not in secret}
    told = tuple(f"{n} has no value in {f.stack}/.env" for n in names if n in f.missing or n in f.required)
    fix = Remedy(f"Give {', '.join(names)} a value.", "set_env", arguments)
    return Cause("env_missing", sure, f"{', '.join(names)} has no value.", (*seen, *told), fix)


def _bad(f: Facts) -> Iterator[Cause]:
    found = said(f, _INVALID, re.NOFLAG)
    name = (found[1] or found[2]) if found else ""
    if not found or not name or re.search(_NEEDED, found.string):
        return
    environment = f.body.get("environment")
    rows = environment if isinstance(environment, list) else [f"{k}=" for k in environment or {}]
    own = any(str(r).partition("=")[0] == name for r in rows)
    fix = (
        Remedy(
            f"Give {name} a value that it takes.",
            "update_service",
            {"service": f.service, "stack": f.stack, "env_set": {name: "VALUE"}},
        )
        if own
        else Remedy(f"Give {name} a value that it takes.", "set_env", {"stack": f.stack, "values": {name: "VALUE"}})
    )
    yield Cause("env_bad_value", 0.9 if own else 0.75, f"It does not take the value of {name}.", (quoted(found),), fix)
