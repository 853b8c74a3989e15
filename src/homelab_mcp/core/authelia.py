"""Authelia's own files, read: where they are in the lab, and which of a person's rules come first.

Facts: Authelia 4.39, ``docs/content/configuration/methods/files.md`` (several files, the last one wins),
``configuration/security/access-control.md`` (rules, first match), ``Dockerfile`` (``X_AUTHELIA_CONFIG``).
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from homelab_mcp.core.operations.lab_view import Known, LabView
from homelab_mcp.core.service_facts import environment_of, folder_at
from homelab_mcp.core.yaml12 import YamlRefused, load
from homelab_mcp.model.errors import InvalidInput, NotFound

AUTHELIA = "authelia"
CONFIG_VARIABLE = "X_AUTHELIA_CONFIG"
CONFIGURATION = "configuration.yml"
ACCESS = "access-control.yml"
CONFIG_TARGET = "/config"
BOTH_FILES = f"{CONFIG_TARGET}/{CONFIGURATION},{CONFIG_TARGET}/{ACCESS}"
"""The value of ``X_AUTHELIA_CONFIG``: a person's file, then the one that follows from the lab."""

_WIDE = frozenset({"domain", "policy"})


@dataclass(frozen=True, slots=True)
class Portal:
    """The lab's Authelia.

    Args:
        service: its compose service.
        folder: where its files are, relative to the lab's root.
        files: the paths inside the container that it loads; empty: its image's default.
    """

    service: Known
    folder: str
    files: tuple[str, ...] = ()

    @property
    def loads_access(self) -> bool:
        """Whether it loads the access rules that follow from the lab."""
        return f"{CONFIG_TARGET}/{ACCESS}" in self.files

    def path(self, name: str) -> str:
        """A file of its folder, relative to the lab's root."""
        return posixpath.join(self.folder, name)


def portal_of(lab: LabView) -> Portal | None:
    """The lab's Authelia, where it has one whose ``/config`` is a folder of the lab."""
    for service in lab.services:
        if service.labels.get("homelab.companion-of") or not _is_authelia(service):
            continue
        folder = folder_at(service, CONFIG_TARGET)
        if folder:
            return Portal(service, folder, _loaded(service))
    return None


def the_portal(lab: LabView) -> Portal:
    """As :func:`portal_of`. Raises NotFound (code ``no_sign_on``)."""
    found = portal_of(lab)
    if found is None:
        raise NotFound(
            "The lab has no Authelia whose /config is a folder of the lab.",
            hint="Add it first: add_service authelia.",
            code="no_sign_on",
        )
    return found


def _is_authelia(service: Known) -> bool:
    if service.labels.get("homelab.service") == AUTHELIA:
        return True
    image = str(service.data.get("image", "")).partition("@")[0].rpartition(":")[0] or str(service.data.get("image"))
    return image.endswith("authelia/authelia")


def _loaded(service: Known) -> tuple[str, ...]:
    """The configuration files that it is told to load; the command line wins over the variable."""
    command = service.data.get("command")
    words = command.split() if isinstance(command, str) else [str(w) for w in command or ()]
    given = [w.partition("=")[2] for w in words if w.startswith("--config=")]
    given += [after for word, after in pairwise(words) if word in ("--config", "-c")]
    if not given:
        given = [environment_of(service).get(CONFIG_VARIABLE, "")]
    return tuple(path.strip() for one in given for path in one.split(",") if path.strip())


def configuration(read: Callable[[str], str | None], portal: Portal) -> dict[str, Any]:
    """What the person's ``configuration.yml`` says; empty where it is missing.

    Raises:
        InvalidInput: it cannot be read (code ``bad_configuration``).
    """
    path = portal.path(CONFIGURATION)
    text = read(path)
    try:
        data = load(text) if text else {}
    except YamlRefused as error:
        raise InvalidInput(
            f"{path} cannot be read: {error.message}", hint="Correct it first.", code="bad_configuration"
        ) from None
    return data if isinstance(data, dict) else {}


def own_rules(data: Mapping[str, Any], domain: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """A person's access rules of ``configuration.yml``: those that come before the lab's, and those after.

    A rule for the whole domain with nothing else to match would hide every rule behind it, so it comes last.
    """
    section = data.get("access_control")
    rules = section.get("rules") if isinstance(section, Mapping) else None
    first: list[dict[str, Any]] = []
    last: list[dict[str, Any]] = []
    for rule in rules if isinstance(rules, Sequence) and not isinstance(rules, str) else ():
        if isinstance(rule, dict):
            (last if _catches_all(rule, domain) else first).append(rule)
    return first, last


def _catches_all(rule: Mapping[str, Any], domain: str) -> bool:
    domains = rule.get("domain")
    named = domains if isinstance(domains, list) else [domains]
    return set(rule) <= _WIDE and f"*.{domain}" in named


def keeps_sessions(data: Mapping[str, Any]) -> bool:
    """Whether sessions outlive a restart: they are kept in Redis, not in memory."""
    session = data.get("session")
    return isinstance(session, Mapping) and bool(session.get("redis"))
