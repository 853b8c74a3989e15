"""Sablier's middlewares, one a group, as a file of Traefik's dynamic folder: from the labels of who sleeps."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from homelab_mcp.core import lazy, lazy_hosts
from homelab_mcp.core.derived import DerivedFile, LabAfter
from homelab_mcp.core.hosts import private_addresses
from homelab_mcp.core.yaml12 import load
from homelab_mcp.core.yaml_emit import Style, entry
from homelab_mcp.model.errors import HomelabError
from homelab_mcp.model.lab import HOSTS_FILE, LOCAL

_HEAD = (
    "# Made by homelab-mcp from the labels sablier.* and homelab.lazy.* of the services; made anew with every plan.\n"
    "# Middlewares of your own belong in another file of this folder.\n"
)
_TIMEOUT = "1m"


def sablier_file(lab: LabAfter) -> Iterable[DerivedFile]:
    """The file; none without a Traefik whose dynamic folder is in its stack, and none where nobody sleeps.

    Who sleeps on another host where no Sablier is reached gets a middleware that nobody answers: the route is shut,
    and not open.
    """
    traefik = lazy_hosts.traefik_of(lab.view)
    folder = lazy.dynamic_folder(traefik) if traefik else ""
    if not folder:
        return
    path = f"{folder}/{lazy.FILE}"
    addresses = _addresses(lab)
    asleep = {g: w for g, w in lazy_hosts.wakers(lab.view, addresses).items() if w.url or w.host != LOCAL}
    now = lab.read(path)
    if not asleep:
        # A file of that name that is not ours is somebody's own.
        if now is not None and now.startswith(_HEAD):
            yield DerivedFile(path, None, "Nobody sleeps any more: Traefik's file of Sablier's middlewares goes.")
        return
    middlewares = {
        w.one.middleware: {"plugin": {"sablier": _options(w.one, w.url or lazy_hosts.NOBODY)}}
        for _, w in sorted(asleep.items())
    }
    lines = entry("http", {"middlewares": middlewares}, 0, Style())
    told = "Traefik's file of Sablier's middlewares follows."
    shut = _shut(lab, addresses, {w.one.middleware for w in asleep.values() if not w.url} & _asking(now))
    yield DerivedFile(path, _HEAD + "\n".join(lines) + "\n", told, risk=shut)


def _addresses(lab: LabAfter) -> dict[str, str]:
    try:
        return private_addresses(lab.read(HOSTS_FILE))
    except HomelabError:
        return {}


def _asking(text: str | None) -> set[str]:
    """The middlewares of our file that ask a Sablier."""
    if text is None or not text.startswith(_HEAD):
        return set()
    try:
        found = load(text)["http"]["middlewares"].items()
        return {n for n, m in found if m["plugin"]["sablier"]["sablierUrl"] != lazy_hosts.NOBODY}
    except (HomelabError, AttributeError, KeyError, TypeError):
        return set()


def _shut(lab: LabAfter, addresses: Mapping[str, str], middlewares: Collection[str]) -> str:
    """What a plan says that leaves these without a Sablier; "" for none."""
    sleepers, unwoken = lazy.sleepers(lab.view), lazy_hosts.unwoken(lab.view, addresses)
    those = {where: why for where, why in unwoken.items() if sleepers[where].middleware in middlewares}
    if not those:
        return ""
    names = "; ".join(f"{where} ({why})" for where, why in those.items())
    return f"Nobody wakes these any more, and their routes are shut: {names}. Turn their lazy loading off first."


def _options(one: lazy.Lazy, url: str) -> dict[str, Any]:
    options: dict[str, Any] = {"sablierUrl": url, "group": one.group}
    if one.session:
        options["sessionDuration"] = one.session
    if one.strategy == "blocking":
        return {**options, "blocking": {"timeout": _TIMEOUT}}
    return {**options, "dynamic": {"displayName": one.name, **({"theme": one.theme} if one.theme else {})}}
