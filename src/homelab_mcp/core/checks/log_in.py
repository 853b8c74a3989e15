"""Who asks for log-in: the middlewares and entry points that do, seen over a whole lab."""

from __future__ import annotations

from homelab_mcp.core.checks import traefik_labels as tl
from homelab_mcp.core.checks.images import AUTH_WORDS, asks_for_login
from homelab_mcp.core.checks.view import Lab

_ASKING = frozenset({"basicauth", "digestauth", "forwardauth"})
_UNSEEN = ("chain", "secured", "protected", "private", "restricted")
"""Words in names of middlewares that no label defines (a file may): what is in them nobody can see from here."""
_NEVER = ("header", "no-auth", "noauth", "without-auth")


class LogIn:
    """What the lab's labels and Traefik's options say about log-in."""

    def __init__(self, lab: Lab) -> None:
        self._seen = lab.labels_seen
        self._traefik = lab.traefik is not None
        self._kinds: dict[str, set[str]] = {}
        self._chains: dict[str, list[str]] = {}
        for service in lab.routing:
            provider = "@file" if service.of_file else ""
            for label, option, entry in tl.http_labels(service, "middlewares"):
                kind, _, rest = option.partition(".")
                name = label.lower() + provider
                asks = kind == "plugin" and any(word in rest.partition(".")[0] for word in AUTH_WORDS)
                self._kinds.setdefault(name, set()).add("forwardauth" if asks else kind)
                if option == "chain.middlewares":
                    self._chains[name] = _names(entry.value)
        self._points: dict[str, list[str]] = {}
        self._default_points: set[str] = set()
        self._skipped_points: set[str] = set()
        static = tl.static_config(lab)
        for option, value in static.options.items() if static else ():
            _, _, point = option.removesuffix(".http.middlewares").partition("entrypoints.")
            if option.endswith(".http.middlewares"):
                self._points[point] = _names(value)
            elif option.endswith(".asdefault") and value.lower() in {"", "true"}:
                self._default_points.add(option.split(".")[1])
            elif option.endswith(".http.redirections.entrypoint.to"):
                self._skipped_points.add(option.split(".")[1])
        self._all_points = static.entry_points if static else frozenset()

    def asks(self, middleware: str, depth: int = 0) -> bool:
        """True when a middleware asks for log-in: by its kind where a label defines it, else by its name."""
        bare, _, provider = middleware.lower().partition("@")
        full = bare if provider in {"", "docker"} else f"{bare}@{provider}"
        kinds = self._kinds.get(full)
        if kinds is not None:
            return bool(kinds & _ASKING) or (
                depth < 10 and any(self.asks(name, depth + 1) for name in self._chains.get(full, ()))
            )
        if any(word in bare for word in _NEVER):
            return False
        return asks_for_login(bare) or any(word in bare for word in _UNSEEN)

    def may_guard(self, router: tl.Router) -> bool:
        """True where a router asks for log-in, or one of its middlewares may be in a part of the lab nobody sees."""
        return self.guards(router) or (not self._seen and any(map(self._may_ask, router.middlewares)))

    def _may_ask(self, middleware: str) -> bool:
        """True for one that an unseen label may define; what has another provider is in the lab's own Traefik's."""
        bare, _, provider = middleware.lower().partition("@")
        by_label = provider in {"", "docker"}
        if any(word in bare for word in _NEVER) or (self._traefik and not by_label):
            return False
        return (bare if by_label else f"{bare}@{provider}") not in self._kinds

    def guards(self, router: tl.Router) -> bool:
        """True when a router, or every entry point that it is on, asks for log-in."""
        if any(self.asks(name) for name in router.middlewares):
            return True
        points = {p.lower() for p in _names(router.value("entrypoints"))} or self._default_points or self._all_points
        open_points = [p for p in points if p not in self._skipped_points]
        return bool(open_points) and all(any(map(self.asks, self._points.get(p, ()))) for p in open_points)

    def only_leads_on(self, router: tl.Router) -> bool:
        """True for a router that sends every visitor to another address, such as the one of HTTPS."""
        return any(
            "redirectscheme" in self._kinds.get(m.lower().removesuffix("@docker"), set())
            or ("redirect" in m.lower() and "http" in m.lower())
            or m.lower().partition("@")[0] == "to-https"
            for m in router.middlewares
        )


def _names(text: str | None) -> list[str]:
    return [name.strip() for name in (text or "").split(",") if name.strip()]
