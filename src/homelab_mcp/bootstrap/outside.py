"""What needs no lab: files that a person named, Compose's word on them, this process's own output, a chat program."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from homelab_mcp.ports import Judge, ToolServers

if TYPE_CHECKING:
    from homelab_mcp.core.redact import Redactor
    from homelab_mcp.queries.validate import ComposeReader


def disk_reader() -> ComposeReader:
    """Reads compose files that a person named, inside or outside a lab."""
    from homelab_mcp.adapters.paths_reader import PathsReader

    return PathsReader()


def tell(command: str, text: str) -> None:
    """Hand a text to a program of the person's; raises InvalidInput, HomelabError (``notify_failed``)."""
    from homelab_mcp.adapters.notify import tell as run

    run(command, text)


def send_notice(addresses: str, title: str, text: str) -> None:
    """Send a text to addresses of Apprise, given as a file or variable holds them.

    Raises InvalidInput (``notify_address``), HomelabError (``notify_failed``).
    """
    from homelab_mcp.adapters.notify_apprise import addresses_in, send

    send(addresses_in(addresses), title, text)


def openwebui(address: str, key: str) -> ToolServers:
    """The OpenWebUI at that address, as its administrator sees it."""
    from homelab_mcp.adapters.openwebui import OpenWebui

    return OpenWebui(address, key)


def mask_output(redactor: Callable[[], Redactor], *, stdout: bool = True, named: bool = True) -> None:
    """Put this process's stderr, and stdout where asked, behind a redactor until it ends.

    Args:
        redactor: asked at each line, so that it may know more by then.
        stdout: not where stdout carries a protocol.
        named: also mask what follows names such as ``password=``; not for output that is parsed.
    """
    from homelab_mcp.adapters.masked_output import mask_stream

    mask_stream("stderr", redactor, named=named)
    if stdout:
        mask_stream("stdout", redactor, named=named)


def redactor_of(*paths: str) -> Callable[[], Redactor]:
    """For files outside a lab: masks what the env files in and below these folders hold."""
    from homelab_mcp.adapters.lab_secrets import LabSecrets
    from homelab_mcp.core.redact import Redactor

    sources = [LabSecrets(path) for path in paths]
    return lambda: (
        Redactor(v for s in sources for v in s.redactor().values) if len(sources) != 1 else sources[0].redactor()
    )


def compose_judge(root: str | None = None) -> Judge:
    """Compose's own word on files, within bounds; ``root`` is the lab whose ``global.env`` counts."""
    from homelab_mcp.adapters.compose_judge import ComposeJudge

    return ComposeJudge(root)
