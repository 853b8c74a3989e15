"""Which Docker host a stack is on, and whether it is Compose or a Swarm there that runs it.

A stack says its host itself, at the top of its compose file: ``x-homelab: {host: nas}``. So it travels with the file,
git and every fingerprint hold it, and Compose ignores it. A stack that says nothing is on the lab's own machine.
``x-homelab: {engine: swarm}`` says likewise that the host is a manager of a Swarm which runs the stack.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from homelab_mcp.model.errors import EngineUnavailable, HomelabError, InvalidInput, NotFound
from homelab_mcp.model.lab import LOCAL, SECTION

COMPOSE, SWARM = "compose", "swarm"
"""What runs a stack."""

_SAID = re.compile(rf"{SECTION}[\"']?\s*:")
_TOP = re.compile(rf"^\ufeff?[\"']?{SECTION}[\"']?[ \t]*:", re.MULTILINE)
_NEXT = re.compile(r"^[^\s#}\]]", re.MULTILINE)
_COMMENT = re.compile(r"(?:^|(?<=\s))#.*", re.MULTILINE)
_WORD = re.compile(r"""(?:^|[\s{,])["']?(host|engine)["']?[ \t]*:[ \t]*["']?([A-Za-z0-9][\w-]*)""")


def host_of(compose_text: str) -> str:
    """The name of the host that this compose file's stack is on; ``local`` where it says nothing that can be read.

    A mistake elsewhere in the file takes the stack to no other machine: what the section says is read without the rest.
    """
    name = _section(compose_text).get("host")
    return name if isinstance(name, str) and name else LOCAL


def engine_of(compose_text: str) -> str:
    """``swarm`` where this compose file's stack says so, else ``compose``."""
    return SWARM if _section(compose_text).get("engine") == SWARM else COMPOSE


def _section(compose_text: str) -> Mapping[str, object]:
    # Most files say nothing, and none is parsed for that.
    if not _SAID.search(compose_text):
        return {}
    from homelab_mcp.core.yaml12 import load

    try:
        return _in(load(compose_text))
    except HomelabError:
        return _alone(compose_text)


def _in(data: object) -> Mapping[str, object]:
    section = data.get(SECTION) if isinstance(data, dict) else None
    return section if isinstance(section, Mapping) else {}


def _alone(compose_text: str) -> Mapping[str, object]:
    """The section of a text that is no YAML as a whole; by its words where it is none by itself either."""
    from homelab_mcp.core.yaml12 import load

    found: dict[str, object] = {}
    for key in _TOP.finditer(compose_text):
        end = _NEXT.search(compose_text, key.end())
        part = compose_text[key.start() : end.start() if end else None]
        try:
            found |= _in(load(part))
        except HomelabError:
            found |= dict(_WORD.findall(_COMMENT.sub("", part[key.end() - key.start() :])))
    return found


def with_host(compose_text: str, host: str) -> str:
    """The text of a new compose file with the host that its stack is on."""
    if host in ("", LOCAL):
        return compose_text
    from homelab_mcp.core.yaml_emit import Style, entry

    return "\n".join(entry(SECTION, {"host": host}, 0, Style())) + "\n\n" + compose_text


def refuse_swarm(compose_text: str, stack: str) -> None:
    """Refuse to bring a service that is made for Compose into a stack that Swarm runs. Raises InvalidInput."""
    if engine_of(compose_text) == SWARM:
        raise InvalidInput(
            f"Swarm runs stack {stack}; services are added to stacks that Compose runs.",
            hint="Add it to a stack of its own, then hand that over: homelab-mcp swarm run STACK.",
            code="swarm_stack",
        )


def require(host: str, known: Collection[str]) -> None:
    """Refuse a host that ``hosts.yaml`` does not have. Raises NotFound (code ``host_unknown``)."""
    if host != LOCAL and host not in known:
        there = ", ".join([LOCAL, *sorted(known)])
        raise NotFound(
            f"There is no host {host[:40]!r}.",
            hint=f"There are: {there}. A person adds one: `homelab-mcp host add NAME ADDRESS`.",
            code="host_unknown",
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
