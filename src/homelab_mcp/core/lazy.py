"""Lazy loading: a service that Sablier stops while nobody visits it, and starts when somebody does.

What says so are the service's own labels. Sablier reads ``sablier.enable`` and ``sablier.group``; the rest is ours,
for the middleware that is derived from it (``core/derived/sablier.py``).

Facts: sablierapp/sablier ``docs/content`` (v1.16.2) and sablierapp/sablier-traefik-plugin ``README.md`` (v1.3.1).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from homelab_mcp.core.operations.lab_view import Known, LabView

ENABLE, GROUP = "sablier.enable", "sablier.group"
KEEP_ROUTE = "traefik.docker.allownonrunning"
"""Traefik 3.6 and later keep the route of a container that does not run (traefik/traefik pull request 10645)."""

STRATEGY, SESSION, THEME = "homelab.lazy", "homelab.lazy.session", "homelab.lazy.theme"
RESTART = "homelab.lazy.restart"
"""The restart policy from before, where lazy loading changed it."""

SABLIER = "sablier"
"""The definition that a Sablier is made from."""

PLUGIN = "github.com/sablierapp/sablier-traefik-plugin"
PLUGIN_VERSION = "v1.3.1"
PLUGIN_FLAGS = (
    f"--experimental.plugins.sablier.modulename={PLUGIN}",
    f"--experimental.plugins.sablier.version={PLUGIN_VERSION}",
)
PLUGIN_TOKEN = "plugin:sablier"  # noqa: S105
"""In the ``x-homelab-added`` of Traefik's service: the flags came with lazy loading and go with it."""
SERVER_TOKEN = "server:sablier"  # noqa: S105
"""In that of another host's Sablier: it came with the first service that sleeps there and goes with the last."""

FILE = "sablier.yml"
PORT = 10000
OLDEST_TRAEFIK = (3, 6)

_DIRECTORY = re.compile(r"^--providers\.file\.directory=(.+)$", re.IGNORECASE)
_PLUGIN_FLAG = re.compile(r"^--experimental\.(?:local)?plugins\.([^.=]+)\.modulename=.*sablier", re.IGNORECASE)
_VERSION = re.compile(r":v?(\d+)\.(\d+)")


@dataclass(frozen=True, slots=True)
class Lazy:
    """One service that sleeps.

    Args:
        group: whom Sablier starts and stops together.
        strategy: dynamic (a waiting page) or blocking (the request waits).
        session: how long after the last request it stays awake, as Go writes durations.
        theme: of the waiting page; "" for Sablier's default.
        name: what the waiting page calls it.
    """

    group: str
    strategy: str
    session: str
    theme: str
    name: str

    @property
    def middleware(self) -> str:
        """The middleware's name in Traefik's file provider."""
        return f"sablier-{self.group}"


def lazy_of(service: Known) -> Lazy | None:
    """How a service sleeps by our own labels; None for one that does not, or that somebody set up by hand."""
    labels = service.labels
    if labels.get(STRATEGY) not in {"dynamic", "blocking"} or labels.get(ENABLE, "").lower() != "true":
        return None
    group = labels.get(GROUP, "")
    if not group:
        return None
    name = labels.get("homepage.name") or service.name
    return Lazy(group, labels[STRATEGY], labels.get(SESSION, ""), labels.get(THEME, ""), name)


def sleepers(lab: LabView) -> dict[str, Lazy]:
    """Every service that sleeps, by ``stack/service``; of one host in what :meth:`LabView.on` gives."""
    found = ((s.where, lazy_of(s)) for s in lab.services)
    return {where: lazy for where, lazy in found if lazy is not None}


def group_for(lab: LabView, stack: str, service: str) -> str:
    """A group that no other service of the lab has: the service's name, with the stack's before it where taken."""
    own = f"{stack}/{service}"
    taken = {g.strip() for s in lab.services if s.where != own for g in s.labels.get(GROUP, "").split(",")}
    return service if service not in taken else f"{stack}-{service}"


def command_of(service: Known) -> list[str]:
    """A service's command as words."""
    command = service.data.get("command")
    if isinstance(command, str):
        return command.split()
    return [str(word) for word in command] if isinstance(command, list) else []


def has_plugin(traefik: Known) -> bool:
    """Whether Traefik's options load Sablier's plugin under the name ``sablier``, from the catalog or locally."""
    return any(m and m[1].lower() == "sablier" for m in map(_PLUGIN_FLAG.match, command_of(traefik)))


def traefik_version(traefik: Known) -> tuple[int, int] | None:
    """Major and minor version by the image's tag; None where the tag does not say."""
    found = _VERSION.search(str(traefik.data.get("image", "")))
    return (int(found[1]), int(found[2])) if found else None


def dynamic_folder(traefik: Known) -> str:
    """The folder of Traefik's dynamic files, relative to the lab's root; "" where it has none in its stack."""
    named = next((m[1].rstrip("/") for m in map(_DIRECTORY.match, command_of(traefik)) if m), "")
    if not named:
        return ""
    for source, target in _mounts(traefik.data.get("volumes")):
        if target.rstrip("/") == named and source.startswith("./"):
            return f"{traefik.stack}/{source.removeprefix('./').rstrip('/')}"
    return ""


def _mounts(volumes: object) -> Iterable[tuple[str, str]]:
    for volume in volumes if isinstance(volumes, list) else ():
        if isinstance(volume, Mapping):
            yield str(volume.get("source", "")), str(volume.get("target", ""))
        else:
            source, _, rest = str(volume).partition(":")
            yield source, rest.partition(":")[0]
