"""What lazy loading needs of the lab, and what a person should know of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from homelab_mcp.core import lazy, lazy_hosts
from homelab_mcp.core.labels import made_from
from homelab_mcp.core.lazy_fitness import image_name
from homelab_mcp.core.operations.lab_view import Known, LabView
from homelab_mcp.core.operations.lazy_request import LazyRequest
from homelab_mcp.model.definition import ServiceDefinition
from homelab_mcp.model.errors import InvalidInput, NotFound
from homelab_mcp.model.lab import LOCAL

_STATIC_FILES = ("traefik.yml", "traefik.yaml", "traefik.toml")


def definition_of(service: Known, find: Callable[[str], ServiceDefinition]) -> ServiceDefinition | None:
    """What a service was made from, by its label, or what has its image; None where the catalog does not know it."""
    image = image_name(service.data)
    for word, by_image in ((made_from(service.labels), False), (image, True)):
        if not word:
            continue
        try:
            found = find(word)
        except NotFound:
            continue
        # An image may be called as some definition's alias is.
        if not by_image or found.container.image.repository.rpartition("/")[2] == image:
            return found
    return None


def traefik_for(lab: LabView, host: str, read: Callable[[str], str | None]) -> tuple[Known, bool]:
    """Traefik, and whether it loads Sablier's plugin already, for a service on ``host``.

    Raises:
        InvalidInput: ``no_traefik``, ``no_sablier``, ``traefik_too_old``, ``no_dynamic_folder``; ``plugin_unknown``
            where its options are in a file that is not seen.
    """
    traefik, server = lazy_hosts.traefik_of(lab), lazy_hosts.server_on(lab, host)
    if traefik is None:
        raise InvalidInput("The lab has no Traefik.", hint="Add traefik first.", code="no_traefik")
    if server is None:
        where = "The lab" if host == LOCAL else f"Host {host}"
        raise InvalidInput(
            f"{where} has no Sablier, which stops and starts services.",
            hint=f"Add sablier{'' if host == LOCAL else ' there'} first.",
            code="no_sablier",
        )
    version = lazy.traefik_version(traefik)
    if version is not None and version < lazy.OLDEST_TRAEFIK:
        raise InvalidInput(
            f"Traefik {version[0]}.{version[1]} forgets the route of a container that does not run.",
            hint="Update traefik to 3.6 or later first.",
            code="traefik_too_old",
        )
    if not lazy.dynamic_folder(traefik):
        raise InvalidInput(
            f"{traefik.where} reads no folder of its stack for dynamic files (--providers.file.directory).",
            hint="Give it one, mounted as ./traefik/dynamic, so that Sablier's middlewares have a place.",
            code="no_dynamic_folder",
        )
    if lazy.has_plugin(traefik):
        return traefik, True
    if isinstance(traefik.data.get("command"), list):
        return traefik, False
    for name in _STATIC_FILES:
        text = read(f"{traefik.stack}/{traefik.name}/{name}") or read(f"{traefik.stack}/{name}") or ""
        if "sablier" in text:
            return traefik, True
    raise InvalidInput(
        "Where Traefik's options are is not seen, so its plugin cannot be added.",
        hint=f"Add to its static configuration: experimental.plugins.sablier with moduleName {lazy.PLUGIN} and "
        f"version {lazy.PLUGIN_VERSION}; then ask again.",
        code="plugin_unknown",
    )


def notes_of(
    service: Known,
    request: LazyRequest,
    definition: ServiceDefinition | None,
    along: Sequence[str],
    routers: Sequence[str],
    *,
    protected: bool,
) -> Iterator[str]:
    """What a person should know before the service sleeps."""
    yield (
        f"It sleeps {request.session} after the last request through its route; the first sleep comes after the first "
        "visit, or when Sablier starts anew."
    )
    yield (
        "Traefik fetches Sablier's plugin from the internet at each start; without it the routes of sleeping services "
        "are off. docs/lazy-loading.md says how to keep the plugin at home."
    )
    yield "After a reboot what slept stays asleep; what was awake comes up and sleeps once Sablier has started."
    if not protected:
        yield "It asks for no log-in first, so anybody who knows its address, robots too, wakes it."
    elif len(routers) > 1:
        yield "Its paths that ask for no log-in (API) wake it for anybody who knows them."
    if request.strategy == "dynamic" and len(routers) > 1:
        yield "Programs that use its API get the waiting page while it starts; strategy blocking lets them wait."
    if service.data.get("ports"):
        yield "Who uses its published ports does not wake it."
    if along:
        yield f"{', '.join(along)} sleeps and wakes with it."
    if definition is not None and definition.container.health is None:
        yield "It has no health check, so for a moment after it wakes visitors may get an error."
    if definition is not None:
        yield f"Fits: {definition.lazy.why}"
