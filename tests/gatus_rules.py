"""What Gatus 5.36 takes as its configuration, told again from its source, as it cannot be run everywhere.

TwiN/gatus v5.36.0: config/config.go (folder, merge, variables, order of checks), config/endpoint/endpoint.go and
common.go (fields, what is refused), config/endpoint/condition.go and placeholder.go (conditions), config/key/key.go,
client/config.go, storage/config.go. It passes over fields that it does not know; here they are errors, as a field that
is passed over does nothing. Of the whole only the part is told that this project writes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import yaml

_TOP = {"metrics": bool, "storage": dict, "endpoints": list}
_STORAGE = {"type": str, "path": str, "caching": bool}
_ENDPOINT = {
    "enabled": bool,
    "name": str,
    "group": str,
    "url": str,
    "method": str,
    "interval": str,
    "conditions": list,
    "client": dict,
}
_CLIENT = {"insecure": bool, "ignore-redirect": bool, "timeout": str, "dns-resolver": str}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h))+")
_SCHEMES = ("http", "https", "tcp", "tls", "starttls", "icmp", "udp", "sctp", "ws", "wss", "ssh", "grpc", "grpcs")
_TEXT_VALUES = re.compile(
    r"\[(?:STATUS|IP|DNS_RCODE|CONNECTED)\]|\[BODY\][A-Za-z0-9_.\[\]]*|(?:len|has)\(\[BODY\][^)]*\)"
)
_NUMBERS = re.compile(r"\[(?:STATUS|RESPONSE_TIME|CERTIFICATE_EXPIRATION|DOMAIN_EXPIRATION)\]|len\(\[BODY\][^)]*\)")


def gatus_errors(files: Mapping[str, str]) -> list[str]:
    """Why a Gatus that reads this folder does not start, or does not do what stands there; none where it does.

    Args:
        files: name -> text of every file in the folder of ``GATUS_CONFIG_PATH``.
    """
    errors: list[str] = []
    whole: dict[str, Any] = {}
    for name in sorted(files):
        if not name.endswith((".yml", ".yaml")):
            continue
        if "$" in files[name].replace("$$", ""):
            errors.append(f"{name}: a $ is taken as the name of a variable")
        read = yaml.safe_load(files[name])
        if not isinstance(read, dict):
            errors.append(f"{name}: no mapping")
            continue
        _merge(whole, read, name, errors)
    _fields("", whole, _TOP, errors)
    if not whole.get("endpoints"):
        errors.append("no endpoint: it does not start")
    _storage(whole.get("storage") or {}, errors)
    seen: set[str] = set()
    for row in whole.get("endpoints") or ():
        _endpoint(row, seen, errors)
    return errors


def _merge(whole: dict[str, Any], more: Mapping[str, Any], name: str, errors: list[str]) -> None:
    """As TwiN/deepmerge does: lists are joined, mappings merged, and a plain value may stand in one file alone."""
    for key, value in more.items():
        if key not in whole:
            whole[key] = value
        elif isinstance(whole[key], list) and isinstance(value, list):
            whole[key] = whole[key] + value
        elif isinstance(whole[key], dict) and isinstance(value, dict):
            _merge(whole[key], value, name, errors)
        else:
            errors.append(f"{name}: {key} stands in another file as well")


def _fields(where: str, found: Mapping[str, Any], known: Mapping[str, type], errors: list[str]) -> None:
    for key, value in found.items():
        if key not in known:
            errors.append(f"{where}{key} is no field of Gatus")
        elif not isinstance(value, known[key]):
            errors.append(f"{where}{key} is no {known[key].__name__}")


def _storage(found: Mapping[str, Any], errors: list[str]) -> None:
    _fields("storage.", found, _STORAGE, errors)
    kind = found.get("type") or "memory"
    if kind not in ("memory", "sqlite", "postgres"):
        errors.append(f"storage.type {kind} is none")
    if (kind == "memory") == bool(found.get("path")):
        errors.append(f"storage.type {kind} with path {found.get('path')!r}")


def _endpoint(row: Any, seen: set[str], errors: list[str]) -> None:
    if not isinstance(row, dict):
        errors.append("an endpoint is no mapping")
        return
    name, group = str(row.get("name", "")), str(row.get("group", ""))
    _fields(f"{name}: ", row, _ENDPOINT, errors)
    key = f"{_folded(group)}_{_folded(name)}"
    if key in seen:
        errors.append(f"{key} is there twice: it does not start")
    seen.add(key)
    if not name or set('"\\') & set(name + group):
        errors.append(f"{name!r}: no name, or a sign that none may have")
    parts = urlsplit(str(row.get("url", "")))
    if parts.scheme not in _SCHEMES or not parts.hostname or re.search(r"[\s{}|^`<>\"]", parts.netloc):
        errors.append(f"{name}: {row.get('url')!r} is no address that it visits")
    _duration(f"{name}: interval", row.get("interval", "1m"), errors)
    _fields(f"{name}: client.", row.get("client") or {}, _CLIENT, errors)
    _duration(f"{name}: timeout", (row.get("client") or {}).get("timeout", "10s"), errors)
    _conditions(name, row.get("conditions") or [], errors)


def _folded(text: str) -> str:
    return re.sub(r"[/_., #+&]", "-", text.lower().strip())


def _duration(where: str, value: Any, errors: list[str]) -> None:
    if not _DURATION.fullmatch(str(value)):
        errors.append(f"{where} {value!r} is no duration")


def _conditions(name: str, conditions: Sequence[Any], errors: list[str]) -> None:
    if not conditions:
        errors.append(f"{name}: no condition")
    for one in conditions:
        sign = next((s for s in ("==", "!=", "<=", ">=", ">", "<") if f" {s} " in str(one)), "")
        sides = [side.strip() for side in str(one).split(f" {sign} ")] if sign else []
        if len(sides) != 2:
            errors.append(f"{name}: {one!r} is no condition")
        elif sign in ("==", "!="):
            if not _TEXT_VALUES.fullmatch(sides[0]) or not _is_value(sides[1]):
                errors.append(f"{name}: {one!r} compares nothing that it knows")
        # What is no number there counts as 0, without a word.
        elif not _NUMBERS.fullmatch(sides[0]) or not re.fullmatch(rf"\d+|{_DURATION.pattern}", sides[1]):
            errors.append(f"{name}: {one!r} compares no numbers")


def _is_value(text: str) -> bool:
    if function := re.fullmatch(r"(any|pat)\((.*)\)", text):
        return bool(function[2]) and all(part.strip() for part in function[2].split(","))
    return bool(text) and not set("()[]") & set(text)


def visit(conditions: Sequence[str], *, status: int, hours: float) -> bool:
    """Whether an answer of that status, with a certificate for so many hours, meets conditions of these two kinds."""
    for one in conditions:
        if many := re.fullmatch(r"\[STATUS\] == any\(([^)]*)\)", one):
            held = str(status) in [part.strip() for part in many[1].split(",")]
        elif same := re.fullmatch(r"\[STATUS\] == (\d+)", one):
            held = status == int(same[1])
        elif fresh := re.fullmatch(r"\[CERTIFICATE_EXPIRATION\] > (\d+)h", one):
            held = hours > int(fresh[1])
        else:
            raise AssertionError(f"{one} is not among the conditions that are told here")
        if not held:
            return False
    return True
