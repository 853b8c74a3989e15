"""Somebody's compose text as services, anchors and merges resolved, within the bounds of every other reader here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from homelab_mcp.core.compose_load import load_stack
from homelab_mcp.core.compose_stack import Kind, Read
from homelab_mcp.core.importing.parsed import Parsed
from homelab_mcp.model.errors import InvalidInput

_KNOWN = frozenset({"services", "networks", "volumes", "name", "version", "include", "secrets", "configs"})
_FILE = "compose.yaml"


def parse_compose(text: str, env: Mapping[str, str], read: Read | None) -> Parsed:
    """The services of a compose text.

    Args:
        text: the text.
        env: variables that came with it.
        read: reads what ``extends`` and ``include`` name, beside the file; None: nobody may.

    Raises:
        InvalidInput: not YAML (YamlRefused), or no services in it (code ``not_compose``), or it would unfold to far
            more than is written.
    """
    # Doubled, so that what comes out has the references as they were written: they are settled later.
    loaded = load_stack([(_FILE, text.replace("$", "$$"))], {}, _doubled(read) if read else None)
    refused = next((s.refused for s in loaded.sources if s.refused is not None), None)
    if refused is not None:
        raise refused
    merged = loaded.merged
    if merged is None or any(t.kind is Kind.BOUNDS for t in loaded.troubles):
        raise InvalidInput(
            "This text cannot be read as one stack.", hint="Give a plain compose text.", code="not_compose"
        )
    if not merged.services:
        raise InvalidInput(
            "There are no services in this text.",
            hint="Give a compose text with 'services:', or a whole docker run command.",
            code="not_compose",
        )
    lost = [f"{t.message} Give its content in the text itself." for t in loaded.troubles]
    lost += [
        f"'{key}:' at the top is not carried over." for key in merged.data if key not in _KNOWN and key[:2] != "x-"
    ]
    for kind in ("secrets", "configs"):
        names = ", ".join(map(str, merged.section(kind)))
        if names:
            lost.append(
                f"{kind} ({names}) are files that are not here: give their values as variables, or mount files."
            )
    services: dict[str, dict[str, Any]] = {n: dict(b) for n, b in merged.services.items()}
    return Parsed(services, merged.section("networks"), merged.section("volumes"), dict(env), lost)


def _doubled(read: Read) -> Read:
    def doubled(path: str) -> str | None:
        text = read(path)
        return None if text is None else text.replace("$", "$$")

    return doubled
