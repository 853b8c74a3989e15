"""Homepage's widgets for services: what each needs, and where a person finds it.

Facts: gethomepage/homepage ``docs/widgets/services/<type>.md`` (v1.13). A key is written into no label: every
container with the Docker socket reads labels. The label names ``{{HOMEPAGE_VAR_X}}``, and only Homepage has the value.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class WidgetKind:
    """One kind of widget.

    Args:
        kind: Homepage's ``type``.
        secrets: widget fields that take a secret.
        find: where a person finds them.
        fields: other fields and their values.
        asked: fields that have to be given.
    """

    kind: str
    secrets: tuple[str, ...] = ("key",)
    find: str = "Settings, General, API key"
    fields: dict[str, str] = field(default_factory=dict)
    asked: tuple[str, ...] = ()


_LOGIN = "the name and password that its own page asks for"

KINDS: dict[str, WidgetKind] = {
    "adguard-home": WidgetKind("adguard", ("username", "password"), _LOGIN),
    "audiobookshelf": WidgetKind("audiobookshelf", find="Config, Users, your account, API token"),
    "bazarr": WidgetKind("bazarr"),
    "gitea": WidgetKind("gitea", find="Settings, Applications, a token that may read repositories and notifications"),
    "grafana": WidgetKind("grafana", ("username", "password"), _LOGIN, {"version": "2"}),
    "home-assistant": WidgetKind("homeassistant", find="your profile, Security, a long-lived access token"),
    "immich": WidgetKind("immich", find="Account settings, API keys (server.statistics)", fields={"version": "2"}),
    "jellyfin": WidgetKind("jellyfin", find="Dashboard, Advanced, API keys"),
    "lidarr": WidgetKind("lidarr"),
    "mealie": WidgetKind("mealie", find="Profile, Manage your API tokens", fields={"version": "2"}),
    "nextcloud": WidgetKind("nextcloud", find="Administration settings, System, the NC-Token"),
    "paperless-ngx": WidgetKind("paperlessngx", find="My profile, API auth token"),
    "pihole": WidgetKind("pihole", find="Settings, Web interface / API, an app password", fields={"version": "6"}),
    "plex": WidgetKind("plex", find="the X-Plex-Token in 'View XML' of any item"),
    "prometheus": WidgetKind("prometheus", (), ""),
    "prowlarr": WidgetKind("prowlarr"),
    "qbittorrent": WidgetKind("qbittorrent", ("username", "password"), _LOGIN),
    "radarr": WidgetKind("radarr"),
    "readarr": WidgetKind("readarr"),
    "sabnzbd": WidgetKind("sabnzbd", find="Config, General, API key"),
    "seerr": WidgetKind("seerr", find="Settings, General, API key"),
    "sonarr": WidgetKind("sonarr"),
    "uptime-kuma": WidgetKind("uptimekuma", (), "the last part of a status page's address", asked=("slug",)),
}
"""By the definition that a service was made from (or its name)."""


def variable_of(service: str, secret: str) -> str:
    """The variable that carries a widget's secret to Homepage; it fills in only names that begin so."""
    word = "".join(c if c.isalnum() else "_" for c in service.upper())
    return f"HOMEPAGE_VAR_{word}_{secret.upper()}"
