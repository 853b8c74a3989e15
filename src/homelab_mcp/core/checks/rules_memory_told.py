"""HL256: programs that are told to take more memory than their container may have."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from homelab_mcp.core.checks.frame import LintContext, rule
from homelab_mcp.core.checks.images import words_of
from homelab_mcp.core.checks.rules_limits import LIMITS, value_at
from homelab_mcp.core.checks.view import ServiceView
from homelab_mcp.core.compose_model import is_open
from homelab_mcp.core.yaml12 import Path
from homelab_mcp.model.finding import Finding, Severity

HEAD = "services:\n  search:\n    image: elasticsearch:9.0.1\n    volumes: ['./data:/usr/share/elasticsearch/data']\n"


@rule(
    "HL256",
    Severity.WARNING,
    "More memory for the program than for its container",
    why="The program takes what it is told it has, and the kernel ends it when the container's limit is reached: it "
    "starts again and again, mostly under load.",
    link="https://docs.docker.com/engine/containers/resource_constraints/",
    bad=f"{HEAD}    environment: {{ES_JAVA_OPTS: '-Xms2g -Xmx2g'}}\n    mem_limit: 1g\n",
    good=f"{HEAD}    environment: {{ES_JAVA_OPTS: '-Xms1g -Xmx1g'}}\n    mem_limit: 2g\n",
)
def told_too_much(ctx: LintContext) -> Iterable[Finding]:
    """Heaps, pools and caches in variables or the command that do not fit below the service's memory limit."""
    for service in ctx.services():
        limit = _limit(service)
        if not limit:
            continue
        for path, text in _told(service):
            for pattern, unit in _SIZES if _ANY_SIZE.search(text) else ():
                for match in pattern.finditer(text):
                    size = _bytes(match.group(1), unit)
                    if size and size >= limit:
                        message = f"{match.group(0).strip()} does not fit below the limit of {_shown(limit)}."
                        yield ctx.on(service, path, message)


def _told(service: ServiceView) -> Iterator[tuple[Path, str]]:
    for key, entry in service.environment.items():
        if entry.value and not entry.open:
            yield entry.path, f"{key}={entry.value}" if key in _WHOLE else entry.value
    part = service.data.get("command")
    if isinstance(part, list):
        for n, word in enumerate(part):
            after = f" {part[n + 1]}" if n + 1 < len(part) else ""
            yield ("command", n), f"{word}{after}" if "=" not in str(word) else str(word)
    elif isinstance(part, str):
        yield ("command",), " ".join(words_of(service, "command"))


_WHOLE = frozenset({"MEMORY", "MAX_MEMORY"})
_SIZES = (
    (re.compile(r"-Xmx([0-9]+[kKmMgG]?)\b"), 1),
    (re.compile(r"--max[-_]old[-_]space[-_]size=([0-9]+)\b"), 2**20),
    (re.compile(r"--maxmemory[= ]([0-9]+(?:[kmg]b?)?)\b", re.IGNORECASE), 1),
    (re.compile(r"--innodb[-_]buffer[-_]pool[-_]size=([0-9]+[kmgKMG]?)\b"), 1),
    (re.compile(r"\bshared_buffers=([0-9]+[kKMG]B)\b"), 1),
    (re.compile(r"--wiredTigerCacheSizeGB[= ]([0-9]+)\b"), 2**30),
    (re.compile(r"^(?:MAX_)?MEMORY=([0-9]+[mMgG])$"), 1),
)
"""What sets a size, and the bytes of a number without a unit (Java, Node.js, Redis, MariaDB, PostgreSQL, MongoDB)."""
_ANY_SIZE = re.compile(r"-Xmx|[sS]ize|(?i:maxmemory)|_buffers|MEMORY=")
"""In whatever one of them matches: most texts set none."""
_UNITS = {"k": 2**10, "m": 2**20, "g": 2**30}


def _bytes(text: str, unit: int) -> int:
    match = re.fullmatch(r"([0-9]{1,18})([kmg]?)b?", text.lower())
    return int(match.group(1)) * _UNITS.get(match.group(2), unit) if match else 0


def _limit(service: ServiceView) -> int:
    value = value_at(service.data, (*LIMITS, "memory")) or service.data.get("mem_limit")
    if value is None or isinstance(value, bool) or is_open(value):
        return 0
    match = re.fullmatch(r"([0-9]{1,18}(?:\.[0-9]+)?)\s*([kmg]?)i?b?", str(value).lower())
    return int(float(match.group(1)) * _UNITS.get(match.group(2), 1)) if match else 0


def _shown(size: int) -> str:
    return f"{size / 2**30:g} GiB" if size >= 2**30 else f"{size / 2**20:g} MiB"
