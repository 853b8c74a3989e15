"""Which Docker hosts a lab has beside its own machine; asked with each list of tools, so it loads next to nothing."""

from __future__ import annotations

from homelab_mcp.model.errors import HomelabError
from homelab_mcp.model.lab import HOSTS_FILE
from homelab_mcp.ports import Files


def other_hosts(files: Files) -> tuple[str, ...]:
    """Their names; none where ``hosts.yaml`` is missing or cannot be read."""
    try:
        text = files.read(HOSTS_FILE)
        if text is None:
            return ()
        from homelab_mcp.core.hosts import parse_hosts

        return tuple(parse_hosts(text).hosts)
    except (HomelabError, OSError):
        return ()
