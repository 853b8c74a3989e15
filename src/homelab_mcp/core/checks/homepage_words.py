"""Words that Homepage reads in its labels (its documentation, and the list of widgets in its source, release 1)."""

from __future__ import annotations

_LABELS_TEXT = (
    "group name icon href description weight id ping siteMonitor statusStyle showStats server container app "
    "namespace podSelector external target widget widgets proxmoxNode proxmoxVMID proxmoxType abbr maxQueueSize "
    "headers type hideErrors underline initiallyCollapsed instance"
)
LABELS = frozenset(_LABELS_TEXT.split())
"""What may follow ``homepage.`` or ``homepage.instance.<name>.``."""
_WIDGETS_TEXT = (
    "adguard apcups arcane argocd atsumeru audiobookshelf authentik autobrr azuredevops backrest bazarr beszel "
    "booklore caddy calendar calibreweb changedetectionio channelsdvrserver checkmk cloudflared coinmarketcap "
    "crowdsec customapi deluge develancacheui diskstation dispatcharr dockhand downloadstation emby esphome evcc "
    "filebrowser fileflows firefly flood freshrss frigate fritzbox gamedig gatus ghostfolio gitea gitlab glances "
    "gluetun gotify grafana hdhomerun headscale healthchecks hoarder homeassistant homebox homebridge ical iframe "
    "immich jackett jdownloader jellyfin jellyseerr jellystat karakeep kavita komga komodo kopia lidarr "
    "linkwarden lubelogger mailcow mastodon mealie medusa mikrotik minecraft miniflux mjpeg moonraker mylar "
    "myspeed navidrome netalertx netdata nextcloud nextdns npm ntfy nzbget octoprint omada ombi opendtu "
    "openmediavault openwrt opnsense overseerr pangolin paperlessngx peanut pfsense photoprism pialert pihole "
    "plantit plex portainer prometheus prometheusmetric prowlarr proxmox proxmoxbackupserver pterodactyl pyload "
    "qbittorrent qnap radarr readarr romm rutorrent sabnzbd scrutiny seerr slskd sonarr sparkyfitness speedtest "
    "spoolman stash stocks strelaysrv suwayomi swagdashboard tailscale tandoor tautulli tdarr technitium tracearr "
    "traefik transmission trilium truenas tubearchivist unifi unifi_console unifi_drive unmanic unraid uptimekuma "
    "uptimerobot urbackup vikunja wallos watchtower wgeasy whatsupdocker xteve yourspotify zabbix"
)
WIDGETS = frozenset(_WIDGETS_TEXT.split())
"""Types of widgets."""
