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
_CROWDSEC = "/etc/crowdsec/local_api_credentials.yaml in its container"

KINDS: dict[str, WidgetKind] = {
    "adguard-home": WidgetKind("adguard", ("username", "password"), _LOGIN),
    "arcane": WidgetKind("arcane", find="Settings, API keys", fields={"env": "0"}),
    "audiobookshelf": WidgetKind("audiobookshelf", find="Config, Users, your account, API token"),
    "authentik": WidgetKind("authentik", find="Directory, Tokens, one with the intent API", fields={"version": "2"}),
    "autobrr": WidgetKind("autobrr", find="Settings, API keys"),
    "backrest": WidgetKind("backrest", ("username", "password"), _LOGIN),
    "bazarr": WidgetKind("bazarr"),
    "beszel": WidgetKind("beszel", ("username", "password"), "a superuser's mail and password", {"version": "2"}),
    "calibre-web": WidgetKind("calibreweb", ("username", "password"), _LOGIN),
    "changedetection": WidgetKind("changedetectionio", find="Settings, API"),
    "crowdsec": WidgetKind("crowdsec", ("username", "password"), _CROWDSEC),
    "deluge": WidgetKind("deluge", ("password",), _LOGIN),
    "dispatcharr": WidgetKind("dispatcharr", ("username", "password"), _LOGIN),
    "dockhand": WidgetKind("dockhand", ("username", "password"), _LOGIN),
    "emby": WidgetKind("emby", find="Settings, Advanced, API keys"),
    "filebrowser": WidgetKind("filebrowser", ("username", "password"), _LOGIN),
    "firefly-iii": WidgetKind("firefly", find="Options, Profile, OAuth, Personal access tokens"),
    "forgejo": WidgetKind("gitea", find="Settings, Applications, a token that may read repositories and notifications"),
    "freshrss": WidgetKind("freshrss", ("username", "password"), "your name, and the API password of your profile"),
    "ghostfolio": WidgetKind("ghostfolio", find="what /api/v1/auth/anonymous gives for your security token"),
    "gitea": WidgetKind("gitea", find="Settings, Applications, a token that may read repositories and notifications"),
    "gitlab": WidgetKind("gitlab", find="User settings, Access tokens, one with read_api", asked=("user_id",)),
    "gotify": WidgetKind("gotify", find="Clients, the token of one"),
    "grafana": WidgetKind("grafana", ("username", "password"), _LOGIN, {"version": "2"}),
    "headscale": WidgetKind("headscale", find="`headscale apikeys create`, `headscale nodes list`", asked=("nodeId",)),
    "healthchecks": WidgetKind("healthchecks", find="the project's Settings, API key (read-only)"),
    "home-assistant": WidgetKind("homeassistant", find="your profile, Security, a long-lived access token"),
    "homebox": WidgetKind("homebox", ("username", "password"), _LOGIN),
    "homebridge": WidgetKind("homebridge", ("username", "password"), _LOGIN),
    "immich": WidgetKind("immich", find="Account settings, API keys (server.statistics)", fields={"version": "2"}),
    "jackett": WidgetKind("jackett", ("password",), "the admin password of its page"),
    "jdownloader-2": WidgetKind("jdownloader", ("username", "password"), "your account there", asked=("client",)),
    "jellyfin": WidgetKind("jellyfin", find="Dashboard, Advanced, API keys"),
    "jellystat": WidgetKind("jellystat", find="Settings, API key"),
    "karakeep": WidgetKind("karakeep", find="User settings, API keys"),
    "kavita": WidgetKind("kavita", ("username", "password"), _LOGIN),
    "komga": WidgetKind("komga", ("username", "password"), _LOGIN, {"version": "2"}),
    "komodo": WidgetKind("komodo", ("key", "secret"), "Settings, API keys", {"showSummary": "true"}),
    "kopia": WidgetKind("kopia", ("username", "password"), _LOGIN),
    "lidarr": WidgetKind("lidarr"),
    "linkwarden": WidgetKind("linkwarden", find="Settings, Access tokens"),
    "lubelogger": WidgetKind("lubelogger", ("username", "password"), _LOGIN),
    "mealie": WidgetKind("mealie", find="Profile, Manage your API tokens", fields={"version": "2"}),
    "miniflux": WidgetKind("miniflux", find="Settings, API keys"),
    "mylar3": WidgetKind("mylar", find="Settings, with its API turned on"),
    "navidrome": WidgetKind("navidrome", ("token", "salt"), "md5 of password and salt", asked=("user",)),
    "nextcloud": WidgetKind("nextcloud", find="Administration settings, System, the NC-Token"),
    "nzbget": WidgetKind("nzbget", ("username", "password"), "ControlUsername and ControlPassword"),
    "ntfy": WidgetKind("ntfy", find="Account, Access tokens, of a user who may read the topic", asked=("topic",)),
    "octoprint": WidgetKind("octoprint", find="Settings, Application keys"),
    "ombi": WidgetKind("ombi", find="Settings, Configuration, General"),
    "paperless-ngx": WidgetKind("paperlessngx", find="My profile, API auth token"),
    "photoprism": WidgetKind("photoprism", find="Settings, Account, an app password"),
    "pihole": WidgetKind("pihole", find="Settings, Web interface / API, an app password", fields={"version": "6"}),
    "plex": WidgetKind("plex", find="the X-Plex-Token in 'View XML' of any item"),
    "portainer": WidgetKind("portainer", find="My account, Access tokens", fields={"env": "1"}),
    "prometheus": WidgetKind("prometheus", (), ""),
    "prowlarr": WidgetKind("prowlarr"),
    "pyload-ng": WidgetKind("pyload", ("username", "password"), _LOGIN),
    "qbittorrent": WidgetKind("qbittorrent", ("username", "password"), _LOGIN),
    "radarr": WidgetKind("radarr"),
    "readarr": WidgetKind("readarr"),
    "sabnzbd": WidgetKind("sabnzbd", find="Config, General, API key"),
    "seerr": WidgetKind("seerr", find="Settings, General, API key"),
    "slskd": WidgetKind("slskd", find="web.authentication.api_keys in slskd.yml"),
    "sonarr": WidgetKind("sonarr"),
    "speedtest-tracker": WidgetKind("speedtest", find="API tokens in your menu", fields={"version": "2"}),
    "suwayomi": WidgetKind("suwayomi", ("username", "password"), _LOGIN),
    "tandoor": WidgetKind("tandoor", find="Settings, API, a token with the scope read"),
    "tautulli": WidgetKind("tautulli", find="Settings, Web interface, API"),
    "technitium": WidgetKind("technitium", find="Administration, Sessions, a token of a user of its own"),
    "transmission": WidgetKind("transmission", ("username", "password"), _LOGIN),
    "trilium": WidgetKind("trilium", find="Options, ETAPI"),
    "tubearchivist": WidgetKind("tubearchivist", find="Settings, Application, API token"),
    "unifi": WidgetKind("unifi", ("username", "password"), "a local account that may read"),
    "uptime-kuma": WidgetKind("uptimekuma", (), "the last part of a status page's address", asked=("slug",)),
    "vikunja": WidgetKind("vikunja", find="Settings, API tokens", fields={"version": "2"}),
    "wallos": WidgetKind("wallos", find="Profile, API key"),
    "watchtower": WidgetKind("watchtower", find="WATCHTOWER_HTTP_API_TOKEN, with its metrics turned on"),
    "wg-easy": WidgetKind("wgeasy", ("username", "password"), _LOGIN, {"version": "2"}),
    "zabbix": WidgetKind("zabbix", find="Users, API tokens"),
}
"""By the definition that a service was made from (or its name)."""


def variable_of(service: str, secret: str) -> str:
    """The variable that carries a widget's secret to Homepage; it fills in only names that begin so."""
    word = "".join(c if c.isalnum() else "_" for c in service.upper())
    return f"HOMEPAGE_VAR_{word}_{secret.upper()}"
