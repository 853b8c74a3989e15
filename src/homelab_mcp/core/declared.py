"""What a stack's files declare: its services with their images and routes, variables filled in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from homelab_mcp.core.compose_parts import as_written
from homelab_mcp.core.env_file import parse
from homelab_mcp.core.redact import env_pairs, secret_values
from homelab_mcp.core.stack_texts import loaded
from homelab_mcp.core.yaml12 import load
from homelab_mcp.model.errors import HomelabError
from homelab_mcp.model.observed import StackFiles

_VARIABLE = re.compile(
    r"\$(?:\$|\{(?P<braced>[A-Za-z_][A-Za-z0-9_]*)(?:(?P<how>:?[-+?])(?P<other>[^{}]*))?\}|(?P<bare>[A-Za-z_][A-Za-z0-9_]*))"
)
_HOST_RULE = re.compile(r"Host\(\s*[`\"']([^`\"']+)[`\"']")
_ROUTER_RULE = re.compile(r"^traefik\.http\.routers\.[^.]+\.rule$")


@dataclass(frozen=True, slots=True)
class Declared:
    """A service as the compose file has it, variables filled in; ``url`` is "" without a Traefik route."""

    service: str
    image: str
    url: str
    container_name: str = ""


def fill(text: str, env: Mapping[str, str]) -> str:
    """The text with ``$NAME``, ``${NAME}`` and its ``:-``, ``-``, ``:+``, ``+``, ``?`` forms filled in.

    Source: Compose Specification, "Interpolation". A variable that is not set stays as it was written.
    """

    def one(found: re.Match[str]) -> str:
        name = found["braced"] or found["bare"]
        if name is None:
            return "$"
        value, how, other = env.get(name), found["how"] or "", found["other"] or ""
        present = value is not None and (value != "" or not how.startswith(":"))
        if how.endswith("+"):
            return other if present else ""
        if present:
            return value or ""
        return other if how.endswith("-") else found[0]

    return _VARIABLE.sub(one, text)


def environment(stack: StackFiles, shared: str = "") -> dict[str, str]:
    """The variables filled in for the stack, from ``global.env`` and its own ``.env``, but for what counts as secret.

    A ``${NAME}`` that is secret so stays as it is written.
    """
    found: dict[str, str] = {}
    for text in (shared, stack.env_text):
        try:
            found |= parse(text)
        except HomelabError:
            found |= dict(env_pairs(text))
    hidden = {*secret_values(shared), *secret_values(stack.env_text)}
    return {name: value for name, value in found.items() if value not in hidden}


def declared(stack: StackFiles, shared_env: str = "") -> tuple[Declared, ...]:
    """The stack's services, in the file's order, with what override, included and extended files bring.

    Raises YamlRefused when the file is no valid YAML.
    """
    env = environment(stack, shared_env)
    services = _services(stack, env)
    found = []
    for name, body in services.items():
        body = body if isinstance(body, dict) else {}
        found.append(
            Declared(
                service=str(name),
                image=fill(str(body.get("image") or ""), env),
                url=url_of({k: fill(v, env) for k, v in _labels(body.get("labels")).items()}),
                container_name=fill(str(body.get("container_name") or ""), env),
            )
        )
    return tuple(found)


def _services(stack: StackFiles, env: Mapping[str, str]) -> Mapping[Any, Any]:
    """The services as they are written, wherever Compose takes them from."""
    data = load(stack.compose_text)
    services = data.get("services") if isinstance(data, dict) else None
    own = services if isinstance(services, dict) else {}
    if not stack.others and not stack.named:
        return own
    merged = loaded(stack, env).merged
    return as_written(merged.services) if merged is not None else own


def url_of(labels: Mapping[str, str]) -> str:
    """``https://`` and the first host of the first Traefik router among the labels, or ""."""
    if labels.get("traefik.enable", "true").lower() == "false":
        return ""
    for key in sorted(labels):
        if _ROUTER_RULE.match(key) and (host := _HOST_RULE.search(labels[key])):
            return f"https://{host[1]}"
    return ""


def _labels(raw: object) -> dict[str, str]:
    if isinstance(raw, dict):
        return {str(k): "" if v is None else _scalar(v) for k, v in raw.items()}
    if isinstance(raw, list):
        return {k: v for k, _, v in (str(item).partition("=") for item in raw)}
    return {}


def _scalar(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
