"""Tells somebody through Apprise: mail, phones, chats, each by an address that holds its own secret.

Apprise is an extra (``homelab-mcp-server[notify]``), as most labs need none. Source of what its calls mean: its
documentation, https://appriseit.com/library/.
"""

from __future__ import annotations

import logging

from homelab_mcp.model.errors import HomelabError, InvalidInput

INSTALL = "Install it with the extra: uv tool install 'homelab-mcp-server[notify]', or pip in the same environment."


def addresses_in(text: str) -> tuple[str, ...]:
    """The addresses of a file or a variable: one a line or word, lines that begin with # are left out."""
    lines = (line.strip() for line in text.splitlines())
    return tuple(word for line in lines if not line.startswith("#") for word in line.split())


def send(addresses: tuple[str, ...], title: str, text: str) -> None:
    """Send a text to each address, the others too where one fails. An address is never told: it is a secret.

    Args:
        addresses: as Apprise writes them, such as ``ntfys://host/topic``.
        title: one line.
        text: plain, already masked.

    Raises:
        InvalidInput: none is given, Apprise is not installed, or it does not know one (``notify_address``).
        HomelabError: one did not take it (``notify_failed``).
    """
    if not addresses:
        raise InvalidInput(
            "Nobody is named to be told.",
            hint="Put addresses as Apprise writes them into HOMELAB_NOTIFY_URLS, or into a file for --notify-file.",
            code="notify_address",
        )
    try:
        import apprise
    except ImportError:
        raise InvalidInput("Apprise is not installed.", hint=INSTALL, code="notify_address") from None
    # What it logs of a failure may hold an address. Its own word is no use to a timer.
    log = logging.getLogger("apprise")
    log.addHandler(logging.NullHandler())
    log.propagate = False
    asset = apprise.AppriseAsset(app_id="homelab-mcp", app_desc="homelab-mcp", app_url="", secure_logging=True)
    targets = []
    for number, address in enumerate(addresses, 1):
        target = apprise.Apprise.instantiate(address, asset=asset)
        if target is None:
            raise InvalidInput(
                f"Address {number} of {len(addresses)}, {kind(address)}, is none that Apprise knows.",
                hint="https://appriseit.com/services/ lists how each service's is written.",
                code="notify_address",
            )
        targets.append(target)
    failed = []
    for number, target in enumerate(targets, 1):
        one = apprise.Apprise(asset=asset)
        one.add(target)
        if not one.notify(body=text, title=title, body_format=apprise.NotifyFormat.TEXT):
            failed.append(f"{number} ({kind(addresses[number - 1])})")
    if failed:
        raise HomelabError(
            f"Not told to address {', '.join(failed)} of {len(addresses)}: it did not answer, or did not take it.",
            hint="Try it with Apprise's own command, which says more: apprise -vv -b test ADDRESS.",
            code="notify_failed",
        )


def kind(address: str) -> str:
    """The service of an address, without what is secret in it."""
    scheme, separator, _ = address.partition("://")
    return f"{scheme}://..." if separator and scheme.isalnum() else "without a scheme"
