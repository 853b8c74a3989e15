"""A route's labels on a service: its host, its port and its log-in, changed wherever they are written."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from homelab_mcp.core import labels as label
from homelab_mcp.core.compose_meaning import DOCKGE, RECORD
from homelab_mcp.core.operations.lab_view import expand
from homelab_mcp.core.service_edit import ServiceEdit
from homelab_mcp.model.definition import ServiceDefinition
from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.lab import LabSettings

_ROUTER = re.compile(r"traefik\.http\.routers\.([^.]+)\.(.+)", re.IGNORECASE)
_PORT = re.compile(r"traefik\.http\.services\.([^.]+)\.loadbalancer\.server\.port", re.IGNORECASE)
_HOST = re.compile(r"\bHost\(([^)]*)\)")
_QUOTED = re.compile(r"([`\"'])([^`\"']+)\1")


@dataclass(slots=True)
class Route:
    """The routers of one service, as the labels of whoever carries them say.

    Args:
        edit: the carrier's.
        service: whose route it is.
        env: the stack's variables.
        notes: what a person should know of the changes.
    """

    edit: ServiceEdit
    service: str
    env: Mapping[str, str]
    notes: list[str] = field(default_factory=list)

    @property
    def routers(self) -> dict[str, dict[str, str]]:
        """Router to its options as written; of a carrier that is another service only this one's."""
        found: dict[str, dict[str, str]] = {}
        for key, value in self.edit.entries("labels").items():
            match = _ROUTER.fullmatch(key)
            if match:
                found.setdefault(match[1], {})[match[2].lower()] = value or ""
        if self.edit.service == self.service:
            return found
        mine = (self.service, f"{self.service}-")
        return {n: o for n, o in found.items() if n == mine[0] or n.startswith(mine[1]) or o.get("service") == mine[0]}

    @property
    def host(self) -> str:
        """The host that its first router answers to, variables filled in; "" without a route."""
        return next(iter(self.hosts()), "")

    def hosts(self) -> Iterator[str]:
        """Every host of its routers, the service's own router first."""
        routers = self.routers
        for name in sorted(routers, key=lambda n: n != self.service):
            for call in _HOST.findall(routers[name].get("rule", "")):
                yield from (expand(found[1], self.env).lower() for found in _QUOTED.findall(call))

    def protected(self, settings: LabSettings) -> bool:
        """Whether the router with that host asks for the lab's log-in."""
        routers = self.routers
        first = next((o for n, o in sorted(routers.items(), key=lambda p: p[0] != self.service) if "rule" in o), {})
        return settings.sso_middleware in _names(first.get("middlewares", ""))

    def check(self) -> None:
        """Raise InvalidInput (``no_route``) where there is none."""
        if not self.host:
            raise InvalidInput(
                f"{self.service} has no route through Traefik.",
                code="no_route",
                hint="For one, remove_service (its folders stay), then import_service with text and subdomain.",
            )

    def rehost(self, subdomain: str, settings: LabSettings) -> str:
        """Answer to another sub-domain: rules, dashboard link, Dockge's addresses and variables; the new host."""
        self.check()
        return self.follow(self.host, subdomain, settings)

    def follow(self, old: str, subdomain: str, settings: LabSettings) -> str:
        """Say the new host wherever the service says the old one; the new host."""
        new = f"{subdomain}.{settings.domain}"
        for key, value in self.edit.entries("labels").items():
            match = _ROUTER.fullmatch(key)
            if match and match[1] not in self.routers:
                continue
            if value:
                self._put("labels", key, value, self._moved(value, old, subdomain, new))
        for key, value in self.edit.entries("environment").items():
            if value:
                self._put("environment", key, value, self._moved(value, old, subdomain, new))
        self._addresses(old, subdomain, new)
        return new

    def _put(self, home: str, key: str, was: str, becomes: str) -> None:
        if becomes != was:
            self.edit.set_entry(home, key, becomes)

    def _moved(self, text: str, old: str, subdomain: str, new: str) -> str:
        """The text with the old host replaced, in the way it was written."""

        def quoted(found: re.Match[str]) -> str:
            if expand(found[2], self.env).lower() != old:
                return found.group()
            return f"{found[1]}{label.host_of(subdomain) if '$' in found[2] else new}{found[1]}"

        def call(found: re.Match[str]) -> str:
            return found.group().replace(found[1], _QUOTED.sub(quoted, found[1]))

        text = _HOST.sub(call, text)
        left, _, domain = old.partition(".")
        if self.env.get("DOMAIN", "").lower() == domain:
            text = re.sub(rf"(?<![\w.-]){re.escape(left)}\.\$\{{DOMAIN\}}", lambda _: label.host_of(subdomain), text)
        return re.sub(rf"(?<![\w.-]){re.escape(old)}(?![\w-])", lambda _: new, text)

    def _addresses(self, old: str, subdomain: str, new: str) -> None:
        document = self.edit.document
        dockge = document.get(DOCKGE)
        urls = dockge.get("urls") if isinstance(dockge, Mapping) else None
        places: list[tuple[tuple[str | int, ...], str]] = []
        if isinstance(urls, list):
            places += [((DOCKGE, "urls", n), str(url)) for n, url in enumerate(urls)]
        for name, service in (document.get("services") or {}).items():
            record = service.get(RECORD) if isinstance(service, Mapping) else None
            if isinstance(record, list):
                places += [(("services", name, RECORD, n), str(token)) for n, token in enumerate(record)]
        for path, text in places:
            becomes = self._moved(text, old, subdomain, new)
            if becomes != text:
                self.edit.set_at(path, becomes)

    def lead_to(self, port: int) -> None:
        """Lead to another port of the container."""
        self.check()
        options = self.routers.get(self.service) or next(iter(self.routers.values()))
        target = options.get("service", "")
        if target.endswith("@internal"):
            raise InvalidInput("The route leads to Traefik itself.", code="no_route", hint="It has no port.")
        known = [m[1] for k in self.edit.entries("labels") if (m := _PORT.fullmatch(k))]
        name = target.partition("@")[0] or (known[0] if len(known) == 1 else next(iter(self.routers)))
        self.edit.set_entry("labels", f"traefik.http.services.{name}.loadbalancer.server.port", str(port))

    def protect(self, settings: LabSettings, definition: ServiceDefinition | None) -> None:
        """Ask for the lab's log-in on every router but those that a definition leaves open for its API."""
        self.check()
        self._refuse_portal(definition)
        paths = bool(definition and definition.route and definition.route.sso.api_paths)
        for name, options in self.routers.items():
            if paths and name == f"{self.service}-api":
                continue
            had = _names(options.get("middlewares", ""))
            if settings.sso_middleware not in had:
                self._middlewares(name, [settings.sso_middleware, *had])
        if paths and definition is not None and self.service in self.routers:
            sub = self.host.partition(".")[0]
            access = label.Access(sub, protected=True)
            for key, value in label.route_labels(definition, self.service, access, settings).items():
                if key.startswith(f"traefik.http.routers.{self.service}-api."):
                    self.edit.set_entry("labels", key, value)

    def bypass(self, settings: LabSettings, definition: ServiceDefinition | None, reason: str) -> None:
        """Ask for no log-in; the reason is for :func:`say_open`."""
        self.check()
        self._refuse_portal(definition)
        if not reason.strip():
            raise InvalidInput(
                f"{self.service} would be reached without the lab's log-in; that needs a reason.",
                hint="Give 'sso_reason' in a sentence.",
                code="reason_needed",
            )
        for name, options in self.routers.items():
            had = _names(options.get("middlewares", ""))
            if settings.sso_middleware in had:
                self._middlewares(name, [m for m in had if m != settings.sso_middleware])
        if definition and definition.route and definition.route.sso.api_paths:
            for key in list(self.edit.entries("labels")):
                if key.startswith(f"traefik.http.routers.{self.service}-api."):
                    self.edit.remove_entry("labels", key)

    def _middlewares(self, router: str, wanted: list[str]) -> None:
        key = f"traefik.http.routers.{router}.middlewares"
        written = next((k for k in self.edit.entries("labels") if k.lower() == key.lower()), key)
        if wanted:
            self.edit.set_entry("labels", written, ",".join(wanted))
        else:
            self.edit.remove_entry("labels", written)

    def _refuse_portal(self, definition: ServiceDefinition | None) -> None:
        if definition and definition.route and definition.route.sso.policy == "portal":
            raise InvalidInput(f"{self.service} is the log-in itself.", code="sso_loop", hint="Its policy stays.")


def say_protected(edit: ServiceEdit) -> None:
    """Take from a service's labels that it is open; what they ask beyond a password stays."""
    if (edit.entries("labels").get(label.SSO) or "").lower() != "two_factor":
        edit.remove_entry("labels", label.SSO)
    edit.remove_entry("labels", label.SSO_REASON)


def say_open(edit: ServiceEdit, reason: str) -> None:
    """Write into a service's labels that it is open, and why; nobody's groups are known then."""
    edit.remove_entry("labels", label.SSO_GROUPS)
    edit.set_entry("labels", label.SSO, "bypass")
    edit.set_entry("labels", label.SSO_REASON, " ".join(reason.split()).replace("$", "$$"))


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]
