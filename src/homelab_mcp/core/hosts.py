"""Which Docker host a stack is on, and ``hosts.yaml`` to settings and back.

A stack says its host itself, at the top of its compose file: ``x-homelab: {host: nas}``. So it travels with the file,
git and every fingerprint hold it, and Compose ignores it. A stack that says nothing is on the lab's own machine.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from pydantic import ValidationError

from homelab_mcp.core import yaml_span
from homelab_mcp.core.yaml_emit import Style, entry
from homelab_mcp.model.errors import EditRefused, EngineUnavailable, HomelabError, InvalidInput, NotFound
from homelab_mcp.model.hosts import HOSTS_FILE, LOCAL, SECTION, DockerHost, HostsSettings

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
        problems = "; ".join(
            f"{'.'.join(str(p) for p in e['loc']) or HOSTS_FILE}: {e['msg']}" for e in error.errors()[:8]
        )
        raise InvalidInput(
            f"{HOSTS_FILE} does not fit: {problems}.",
            hint="`homelab-mcp host schema` says what it may hold.",
            code="bad_hosts",
        ) from None


def host_of(compose_text: str) -> str:
    """The name of the host that this compose file's stack is on; ``local`` where it says nothing that can be read."""
    if SECTION not in compose_text:
        return LOCAL
    from homelab_mcp.core.yaml12 import load

    try:
        data = load(compose_text)
    except HomelabError:
        return LOCAL
    section = data.get(SECTION) if isinstance(data, dict) else None
    name = section.get("host") if isinstance(section, Mapping) else None
    return name if isinstance(name, str) and name else LOCAL


def with_host(compose_text: str, host: str) -> str:
    """The text of a new compose file with the host that its stack is on."""
    if host in ("", LOCAL):
        return compose_text
    return "\n".join(entry(SECTION, {"host": host}, 0, Style())) + "\n\n" + compose_text


def require(host: str, known: Collection[str]) -> None:
    """Refuse a host that ``hosts.yaml`` does not have. Raises NotFound (code ``host_unknown``)."""
    if host != LOCAL and host not in known:
        there = ", ".join([LOCAL, *sorted(known)])
        raise NotFound(
            f"There is no host {host[:40]!r}.",
            hint=f"There are: {there}. A person adds one: `homelab-mcp host add NAME ADDRESS`.",
            code="host_unknown",
        )


def check_name(name: str) -> None:
    """Refuse what cannot be a host's name. Raises InvalidInput (``bad_hosts``)."""
    if not _NAME.fullmatch(name) or name == LOCAL:
        raise InvalidInput(
            f"{name[:40]!r} is no name for a host.",
            hint=f"Lower-case letters, digits and '-', at most 32; '{LOCAL}' is this machine.",
            code="bad_hosts",
        )


def refuse_silent(silent: Mapping[str, str], homes: Collection[str]) -> None:
    """Refuse to go on without a host that does not answer.

    Args:
        silent: hosts that do not, and why.
        homes: the hosts that are needed.

    Raises:
        EngineUnavailable: code ``host_silent``.
    """
    for host in sorted(set(homes) & set(silent)):
        raise EngineUnavailable(
            silent[host],
            hint=f"`homelab-mcp host check {host}` looks again; what is on other hosts can be seen and changed.",
            code="host_silent",
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
