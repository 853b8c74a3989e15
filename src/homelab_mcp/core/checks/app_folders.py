"""Where well-known programs keep what they must not lose, by image.

From the catalog's definitions, each of which names where its facts come from; LinuxServer's images keep theirs in
``/config`` (https://docs.linuxserver.io/general/running-our-containers/).
"""

from __future__ import annotations

from functools import cache

from homelab_mcp.core.checks.view import ServiceView

_TEXT = (
    "/data actualbudget/actual-server archivebox/archivebox axllent/mailpit chromadb/chroma deluan/navidrome "
    "dispatcharr/dispatcharr dullage/flatnotes forgejo/forgejo gitea/gitea itzg/minecraft-bedrock-server "
    "itzg/minecraft-server karakeep-app/karakeep lldap/lldap music-assistant/server nodered/node-red "
    "portainer/portainer-ce redis/redisinsight sysadminsmedia/homebox tombursch/kitchenowl "
    "vaultwarden/server wealthfolio/wealthfolio wizarrrr/wizarr;"
    "/config advplyr/audiobookshelf autobrr/autobrr autobrr/qui cleanuparr/cleanuparr dictionarry-hub/profilarr "
    "emby/embyserver esphome/esphome gotson/komga home-assistant/home-assistant homeassistant/home-assistant "
    "jellyfin/jellyfin jlesage/handbrake jlesage/jdownloader-2 jlesage/makemkv josh5/unmanic kieraneglin/pinchflat "
    "lmscommunity/lyrionmusicserver plexinc/pms-docker recyclarr/recyclarr;"
    "/app/data c4illin/convertx getarcaneapp/manager gotify/server koenkk/zigbee2mqtt louislam/dockge "
    "louislam/uptime-kuma lukegus/termix mealie-recipes/mealie owncast/owncast pocket-id/pocket-id "
    "raylabshq/gitea-mirror;"
    "/app/config gethomepage/homepage fallenbagel/jellyseerr seerr-team/seerr sctx/overseerr;"
    "/root/.flowise flowiseai/flowise;/root/.ollama ollama/ollama;/app/backend/data open-webui/open-webui;"
    "/qdrant/storage qdrant/qdrant;/var/lib/ntfy binwiederhier/ntfy;/appsmith-stacks appsmith/appsmith-ce;"
    "/var/opt/gitlab gitlab/gitlab-ce;/var/jenkins_home jenkins/jenkins;/var/www/html matomo nextcloud wordpress;"
    "/home/node/.n8n n8nio/n8n;/opt/onedev 1dev/server;/opengist thomiceli/opengist;/var/lib/pgadmin dpage/pgadmin4;"
    "/pb_data muchobien/pocketbase;/factorio factoriotools/factorio;/homebridge homebridge/homebridge;"
    "/octoprint octoprint/octoprint;/var/lib/rabbitmq rabbitmq;/kavita/config jvmilazz0/kavita;"
    "/photoprism/storage photoprism/photoprism;/beszel_data henrygd/beszel;/datastore dgtlmoon/changedetection.io;"
    "/var/lib/grafana grafana/grafana grafana/grafana-oss;/prometheus prom/prometheus;"
    "/updater/data qmcgaw/ddns-updater;/etc/pihole pihole/pihole;/var/lib/tailscale tailscale/tailscale;"
    "/etc/dns technitium/dns-server;/etc/wireguard wg-easy/wg-easy;/app/data/storage docmost/docmost;"
    "/var/www/FreshRSS/data freshrss/freshrss;/persist gristlabs/grist;/etc/linkding/data sissbruecker/linkding;"
    "/App/data hargata/lubelogger;/var/opt/memos neosmemo/memos;/usr/app/data nocodb/nocodb;"
    "/usr/src/paperless/data paperless-ngx/paperless-ngx;/readeck readeck/readeck;/siyuan/workspace b3log/siyuan;"
    "/var/syncthing syncthing/syncthing;/home/node/trilium-data triliumnext/trilium;"
    "/var/www/wallabag/data wallabag/wallabag;/var/www/html/db bellamy/wallos;/2fauth 2fauth/2fauth;"
    "/opt/adguardhome/conf adguard/adguardhome"
)
"""``folder image image;``"""
_LINUXSERVER = frozenset(
    {"bazarr", "bookstack", "calibre-web", "code-server", "deluge", "dokuwiki", "duplicati", "grocy", "healthchecks"}
    | {"heimdall", "jackett", "kometa", "lazylibrarian", "lidarr", "mylar3", "nzbget", "nzbhydra2", "ombi", "piwigo"}
    | {"prowlarr", "pyload-ng", "qbittorrent", "radarr", "readarr", "sabnzbd", "sonarr", "speedtest-tracker"}
    | {"tautulli", "thelounge", "transmission", "tvheadend", "unifi-network-application", "jellyfin", "plex", "emby"}
)


@cache
def _folders() -> dict[str, str]:
    parts = (line.split() for line in _TEXT.split(";"))
    return {image: folder for folder, *images in parts for image in images} | {
        f"linuxserver/{name}": "/config" for name in _LINUXSERVER
    }


def repository(service: ServiceView) -> str:
    """An image's repository without its registry, tag and digest: ``gitea/gitea``; "" where it is not told."""
    known: str | None = service.memo.get("repository")
    if known is None:
        known = service.memo["repository"] = _repository(service.image.lower())
    return known


def _repository(image: str) -> str:
    first, _, rest = image.partition("@")[0].partition("/")
    path = rest if rest and ("." in first or ":" in first or first == "localhost") else image.partition("@")[0]
    head, slash, last = path.rpartition("/")
    return f"{head}{slash}{last.partition(':')[0]}".removeprefix("library/")


def kept_in(service: ServiceView) -> str:
    """The folder of a well-known program's data; "" where nobody knows."""
    return _folders().get(repository(service), "")
