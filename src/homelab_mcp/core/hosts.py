"""``hosts.yaml`` to settings and back; one entry changed and nothing else in the file."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

from pydantic import ValidationError

from homelab_mcp.core import yaml_span
from homelab_mcp.core.misfit import misfits
from homelab_mcp.core.stack_host import require
from homelab_mcp.core.yaml_emit import Style, entry
from homelab_mcp.model.errors import EditRefused, InvalidInput
from homelab_mcp.model.hosts import DockerHost, HostsSettings
from homelab_mcp.model.lab import HOSTS_FILE, LOCAL

_HEAD = "# Docker hosts of this lab beside its own machine. No tool writes this file; `homelab-mcp host` does.\n"
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?")
_KEY = "hosts"


def parse_hosts(text: str | None) -> HostsSettings:
    """The hosts of this text; none where there is no file or it is empty.

    Raises:
        InvalidInput: not YAML (YamlRefused), or something that does not fit (code ``bad_hosts``).
    """
    if text is None or not text.strip():
        return HostsSettings()
    from homelab_mcp.core.yaml12 import load

    data = load(text)
    try:
        return HostsSettings.model_validate({} if data is None else data)
    except ValidationError as error:
        raise InvalidInput(
            f"{HOSTS_FILE} does not fit: {misfits(error, whole=HOSTS_FILE)}.",
            hint="`homelab-mcp host schema` says what it may hold.",
            code="bad_hosts",
        ) from None


def private_addresses(text: str | None) -> dict[str, str]:
    """The address that routes to each host's services go to, "" where none is known. Raises InvalidInput."""
    return {name: host.routes_to for name, host in parse_hosts(text).hosts.items()}


def machine_addresses(text: str | None) -> dict[str, set[str]]:
    """Host -> its addresses in its entry: the private one and that of ssh:// or tcp://. Raises InvalidInput."""
    hosts = parse_hosts(text).hosts
    return {n: {a for a in (h.private, urlsplit(h.address).hostname) if a} for n, h in hosts.items()}


def check_name(name: str) -> None:
    """Refuse what cannot be a host's name. Raises InvalidInput (``bad_hosts``)."""
    if not _NAME.fullmatch(name) or name == LOCAL:
        raise InvalidInput(
            f"{name[:40]!r} is no name for a host.",
            hint=f"Lower-case letters, digits and '-', at most 32; '{LOCAL}' is this machine.",
            code="bad_hosts",
        )


def set_host(text: str | None, name: str, host: DockerHost) -> str:
    """The text of ``hosts.yaml`` with this host, added or in place of the one of that name; all else stays.

    Raises:
        InvalidInput: a name that does not fit (``bad_hosts``).
        EditRefused: the text is written so that it cannot be added to alone.
    """
    check_name(name)
    value = host.model_dump(exclude_defaults=True)
    if text is None or not text.strip():
        return _HEAD + "\n".join(entry(_KEY, {name: value}, 0, Style())) + "\n"
    data = _read(text)
    present = data.get(_KEY) or {}
    if name in present:
        return set_host(remove_host(text, name), name, host)
    if present:
        edited = yaml_span.insert_entry(text, (_KEY,), name, value)
    else:
        bare = yaml_span.remove_entry(text, (_KEY,)) if _KEY in data else text
        edited = yaml_span.append_section(bare, _KEY, {name: value}, gap=False)
    return _checked(edited, {**data, _KEY: {**present, name: value}})


def remove_host(text: str | None, name: str) -> str:
    """The text of ``hosts.yaml`` without this host. Raises NotFound (``host_unknown``), EditRefused."""
    data = _read(text) if text and text.strip() else {}
    present = data.get(_KEY) or {}
    if name not in present:
        require(name if name != LOCAL else "local (this machine)", present)
    rest = {k: v for k, v in present.items() if k != name}
    edited = yaml_span.remove_entry(text or "", (_KEY, name) if rest else (_KEY,))
    return _checked(edited, {k: v for k, v in data.items() if k != _KEY} | ({_KEY: rest} if rest else {}))


def _read(text: str) -> dict[str, Any]:
    from homelab_mcp.core.yaml12 import load

    data = load(text)
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise EditRefused(f"{HOSTS_FILE} is not a mapping.", code="not_a_mapping")
    return data


def _checked(text: str, expected: dict[str, Any]) -> str:
    if _read(text) != expected:
        raise EditRefused(
            f"{HOSTS_FILE} could not be changed in that place alone.",
            hint="Write 'hosts' as a block of its own, one key a line.",
            code="edit_changed_more",
        )
    return text
