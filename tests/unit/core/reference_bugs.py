"""The bugs of a well-known homelab repository, each as the smallest files that have it, in this project's own words.

Each is one thing that went wrong for its users. ``files`` are a lab: ``<stack>/compose.yaml`` and what stands beside
it; ``env`` is every stack's ``.env``. ``at`` is (file, a text in the line) of the finding that ``rule`` must make.
"""

# ruff: noqa: E501 (one case a line reads best)

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

TRAEFIK = """services:
  traefik:
    image: traefik:v3.7.13
    restart: unless-stopped
    command:
      - --providers.docker=true
      - --providers.docker.exposedbydefault=false
      - --providers.file.directory=/dynamic
      - --entrypoints.websecure.address=:443
      - --certificatesresolvers.letsencrypt.acme.dnschallenge.provider=duckdns
    environment: {DUCKDNS_TOKEN: "${DUCKDNS_TOKEN}"}
    volumes: ["./traefik/dynamic:/dynamic:ro", "/var/run/docker.sock:/var/run/docker.sock:ro"]
    networks: [traefik-network]
  authelia:
    image: authelia/authelia:4.39.4
    restart: unless-stopped
    networks: [traefik-network]
    labels:
      traefik.enable: "true"
      traefik.http.routers.authelia.rule: Host(`auth.${DOMAIN}`)
      traefik.http.routers.authelia.entrypoints: websecure
      traefik.http.routers.authelia.tls.certresolver: letsencrypt
      traefik.http.services.authelia.loadbalancer.server.port: "9091"
      traefik.http.middlewares.authelia.forwardauth.address: http://authelia:9091/api/authz/forward-auth
networks:
  traefik-network: {external: true}
"""
NETWORK = "networks:\n  traefik-network: {external: true}\n"
HEAD = "services:\n"


def routed(name: str, image: str, port: int, *more: str, middlewares: str = "authelia@docker", host: str = "") -> str:
    """A service with a route, as most of these files have it."""
    lines = [
        f"  {name}:",
        f"    image: {image}",
        "    restart: unless-stopped",
        "    networks: [traefik-network]",
        *more,
        "    labels:",
        '      traefik.enable: "true"',
        f"      traefik.http.routers.{name}.rule: Host(`{host or name}.${{DOMAIN}}`)",
        f"      traefik.http.routers.{name}.entrypoints: websecure",
        f"      traefik.http.routers.{name}.tls.certresolver: letsencrypt",
        *([f"      traefik.http.routers.{name}.middlewares: {middlewares}"] if middlewares else []),
        f'      traefik.http.services.{name}.loadbalancer.server.port: "{port}"',
    ]
    return "\n".join(lines) + "\n"


@dataclass(frozen=True)
class Bug:
    """One bug: its files, and the rule that finds it where."""

    name: str
    rule: str
    files: Mapping[str, str]
    at: tuple[str, str]
    env: Mapping[str, str] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    """What a mount names and is not there."""


def lab(**stacks: str) -> dict[str, str]:
    """The core stack and these: name=(compose text)."""
    return {"core/compose.yaml": TRAEFIK, **{f"{n}/compose.yaml": t for n, t in stacks.items()}}


def core(text: str = TRAEFIK, **dynamic: str) -> dict[str, str]:
    """The core stack with files in Traefik's dynamic folder."""
    return {"core/compose.yaml": text, **{f"core/traefik/dynamic/{n}.yml": t for n, t in dynamic.items()}}


def one(*lines: str) -> dict[str, str]:
    """The core stack and one more with these lines of a file."""
    return lab(apps="\n".join(lines) + "\n")


DYNAMIC_ROUTER = """http:
  routers:
    dozzle-pi:
      rule: Host(`dozzle.pi.lab.test`)
      entryPoints: [websecure]
      service: dozzle-pi
      tls: {certResolver: letsencrypt}
  services:
    dozzle-pi:
      loadBalancer:
        servers: [{url: "http://192.168.1.7:8080"}]
"""
SABLIER = """http:
  middlewares:
    sablier-notes:
      plugin:
        sablier:
          sablierUrl: http://sablier-service:10000
          group: other-host-notes
          dynamic: {displayName: Notes}
"""
LAZY = "    restart: 'no'"

BUGS: tuple[Bug, ...] = (
    Bug("B1 the host's port as the route's port", "HL060",
        lab(apps=HEAD + routed("gitea", "gitea/gitea:1.24", 3010, "    ports: ['3010:3000']") + NETWORK),
        ("apps/compose.yaml", "server.port")),
    Bug("B2 a Sablier middleware and no plugin", "HL085", core(sablier=SABLIER),
        ("core/traefik/dynamic/sablier.yml", "        sablier:")),
    Bug("B2 lazy labels that no router's middleware wakes", "HL081",
        lab(apps=HEAD + routed("notes", "example/notes:1", 80, LAZY).replace("    restart: unless-stopped\n", "", 1).replace(
            "    labels:\n", "    labels:\n      sablier.enable: 'true'\n      sablier.group: notes\n") + NETWORK),
        ("apps/compose.yaml", "sablier.enable")),
    Bug("B2 Sablier's address is nobody's", "HL087",
        {**core(sablier=SABLIER), "lazy/compose.yaml": "services:\n  sablier:\n    image: sablierapp/sablier:1.10.1\n"},
        ("core/traefik/dynamic/sablier.yml", "sablierUrl")),
    Bug("B2 a group that no container is in", "HL084", core(sablier=SABLIER),
        ("core/traefik/dynamic/sablier.yml", "group:")),
    Bug("B2 a database that nothing starts again", "HL082",
        one("services:", "  db:", "    image: mariadb:10.11", "    restart: 'no'"), ("apps/compose.yaml", "restart:")),
    Bug("B3 the dashboard by a port that nothing listens on", "HL300",
        core(TRAEFIK.replace("  authelia:\n", """    ports: ["443:443", "8080:8080"]
    labels:
      traefik.enable: "true"
      traefik.http.routers.traefik.rule: Host(`traefik.${DOMAIN}`)
      traefik.http.routers.traefik.entrypoints: websecure
      traefik.http.routers.traefik.tls.certresolver: letsencrypt
      traefik.http.routers.traefik.middlewares: authelia@docker
      traefik.http.services.traefik.loadbalancer.server.port: "8080"
  authelia:
""", 1).replace("      - --providers.docker=true\n", "      - --providers.docker=true\n      - --api.dashboard=true\n      - --api.insecure=false\n")),
        ("core/compose.yaml", "server.port: \"8080\"")),
    Bug("B4 names that the wildcard certificate does not fit", "HL077",
        core(TRAEFIK.replace("    environment:", "      - --entrypoints.websecure.http.tls.domains[0].main=lab.test\n"
                             "      - --entrypoints.websecure.http.tls.domains[0].sans=*.lab.test\n    environment:", 1),
             remote=DYNAMIC_ROUTER),
        ("core/traefik/dynamic/remote.yml", "rule:")),
    Bug("B4 a wildcard certificate for the author's own domain", "HL309",
        core(wildcard="http:\n  routers:\n    wildcard:\n      rule: Host(`author.duckdns.org`)\n      entryPoints: [websecure]\n      service: noop@internal\n      tls:\n        certResolver: letsencrypt\n        domains: [{main: author.duckdns.org, sans: ['*.author.duckdns.org']}]\n"),
        ("core/traefik/dynamic/wildcard.yml", "domains")),
    Bug("B5 a route on none of Traefik's networks", "HL069",
        lab(apps=HEAD + routed("loki", "grafana/loki:3.5.5", 3100).replace("networks: [traefik-network]", "networks: [own]") + "networks: {own: {}}\n"),
        ("apps/compose.yaml", "networks: [own]")),
    Bug("Traefik's log in a file that goes with the container", "HL301",
        core(TRAEFIK.replace("      - --providers.docker=true\n", "      - --providers.docker=true\n      - --log.level=DEBUG\n      - --log.filepath=/var/log/traefik/traefik.log\n")),
        ("core/compose.yaml", "log.filepath")),
    Bug("a second log-in middleware with somebody's address", "HL303",
        core(sablier="http:\n  middlewares:\n    authelia:\n      forwardAuth: {address: 'http://auth.yourdomain.duckdns.org/api/verify'}\n"),
        ("core/traefik/dynamic/sablier.yml", "address")),
    Bug("services of a file that no router leads to", "HL302",
        core(local=DYNAMIC_ROUTER.replace("  services:\n", "  services:\n    tdarr:\n      loadBalancer:\n        servers: [{url: 'http://192.168.1.8:8265'}]\n")),
        ("core/traefik/dynamic/local.yml", "tdarr:")),
    Bug("B6 a folder's variable that was taken away", "HL053",
        one("services:", "  nextcloud:", "    image: nextcloud:31", "    volumes: ['${NEXTCLOUD_DIR}:/var/www/html/data']"),
        ("apps/compose.yaml", "NEXTCLOUD_DIR")),
    Bug("B6 a password's variable that was taken away", "HL050",
        one("services:", "  db:", "    image: mariadb:10.11", "    restart: always",
            "    environment: {MARIADB_ROOT_PASSWORD: '${DB_ROOT_PASSWORD}'}"),
        ("apps/compose.yaml", "DB_ROOT_PASSWORD")),
    Bug("secrets written into the file", "HL054",
        one("services:", "  homarr:", "    image: ghcr.io/homarr-labs/homarr:v1.40.0",
            "    environment: {SECRET_ENCRYPTION_KEY: 7c1d0a9be2f84c6b9d03a5e8f1c27b64}"),
        ("apps/compose.yaml", "SECRET_ENCRYPTION_KEY")),
    Bug("a hash whose dollars are taken for variables", "HL244",
        one("services:", "  app:", "    image: example/app:1", "    environment:",
            "      ADMIN_TOKEN: $argon2id$v=19$m=65540,t=3,p=4$c29tZXNhbHQ$RdescudvJCsgt3ub"),
        ("apps/compose.yaml", "ADMIN_TOKEN")),
    Bug("one password for everything", "HL307",
        one("services:", "  a:", "    image: example/a:1", "    environment: {ADMIN_PASSWORD: '${DEFAULT_PASSWORD}'}",
            "  b:", "    image: example/b:1", "    environment: {ROOT_PASSWORD: '${DEFAULT_PASSWORD}'}",
            "  c:", "    image: example/c:1", "    environment: {SECRET_KEY: '${DEFAULT_PASSWORD}'}"),
        ("apps/compose.yaml", "SECRET_KEY"), env={"DEFAULT_PASSWORD": "x7Kq1-pw-of-all"}),
    Bug("a password safe where anybody may sign up", "HL308",
        one("services:", "  vaultwarden:", "    image: vaultwarden/server:1.34.3",
            "    environment: {SIGNUPS_ALLOWED: 'true'}"),
        ("apps/compose.yaml", "SIGNUPS_ALLOWED")),
    Bug("B7 a network twice", "HL010",
        one("services:", "  plex:", "    image: plexinc/pms-docker:1.41.9", "    networks: [home, home]", "networks: {home: {}}"),
        ("apps/compose.yaml", "networks: [home")),
    Bug("B7 a volume that nobody declares", "HL021",
        one("services:", "  plex:", "    image: plexinc/pms-docker:1.41.9", "    volumes: [plex-transcode:/transcode]"),
        ("apps/compose.yaml", "plex-transcode")),
    Bug("B7 one host port twice", "HL041",
        {**lab(apps="services:\n  portainer:\n    image: portainer/portainer-ce:2.33.1\n    ports: ['9000:9000']\n"),
         "more/compose.yaml": "services:\n  mealie:\n    image: ghcr.io/mealie-recipes/mealie:v3.1.2\n    ports: ['9000:9000']\n"},
        ("more/compose.yaml", "9000:9000")),
    Bug("B8 a dashboard entry with half an address", "HL303",
        one("services:", "  dockge:", "    image: louislam/dockge:1.5.0", "    labels:", "      homepage.group: Tools",
            "      homepage.name: Dockge", "      homepage.icon: dockge.png", "      homepage.href: https://.${DOMAIN}"),
        ("apps/compose.yaml", "homepage.href"), env={"DOMAIN": "lab.test"}),
    Bug("B9 a log-in by the newest image", "HL110",
        core(TRAEFIK.replace("authelia:4.39.4", "authelia:latest")), ("core/compose.yaml", "authelia:latest")),
    Bug("B9 the log-in's configuration of another time", "HL310",
        {**core(TRAEFIK.replace("    labels:\n", "    volumes: ['./authelia/config:/config']\n    labels:\n", 1)),
         "core/authelia/config/configuration.yml": "jwt_secret: ${SECRET}\nserver:\n  host: 0.0.0.0\n  port: 9091\nsession:\n  domain: lab.test\n"},
        ("core/authelia/config/configuration.yml", "jwt_secret")),
    Bug("B10 an outside address without a host", "HL303",
        core(ha="http:\n  routers:\n    ha:\n      rule: Host(`ha.lab.test`)\n      entryPoints: [websecure]\n      service: ha\n      tls: {certResolver: letsencrypt}\n  services:\n    ha:\n      loadBalancer:\n        servers:\n          - url: 'http://:8123'\n"),
        ("core/traefik/dynamic/ha.yml", "http://:8123")),
    Bug("B11 the folder that is mounted is not the one with the configuration", "HL305",
        {**one("services:", "  prometheus:", "    image: prom/prometheus:v3.5.0",
               "    command: ['--config.file=/etc/prometheus/prometheus.yml']",
               "    volumes: ['./prometheus/config:/etc/prometheus', 'data:/prometheus']", "volumes: {data: {}}"),
         "apps/prometheus/prometheus.yml": "global: {}\n"},
        ("apps/compose.yaml", "./prometheus/config"), missing=("prometheus/config/prometheus.yml",)),
    Bug("B12 a host's numbers that are not the host's", "HL306",
        one("services:", "  node-exporter:", "    image: prom/node-exporter:v1.9.1",
            "    command: ['--path.procfs=/host/proc', '--path.sysfs=/host/sys']",
            "    volumes: ['./proc:/host/proc:ro', '/sys:/host/sys:ro']"),
        ("apps/compose.yaml", "./proc:/host/proc")),
    Bug("B13 a broker without its configuration", "HL305",
        one("services:", "  mosquitto:", "    image: eclipse-mosquitto:2.0.22",
            "    volumes: ['./mosquitto/config:/mosquitto/config']"),
        ("apps/compose.yaml", "./mosquitto/config"), missing=("mosquitto.conf",)),
    Bug("B13 a file that is mounted and not there", "HL107",
        one("services:", "  mediawiki:", "    image: mediawiki:1.44.0",
            "    volumes: ['./mediawiki/LocalSettings.php:/var/www/html/LocalSettings.php']"),
        ("apps/compose.yaml", "LocalSettings"), missing=("LocalSettings.php",)),
    Bug("B13 a database that keeps nothing", "HL116",
        one("services:", "  mongo:", "    image: mongo:8.0.13", "    restart: always"), ("apps/compose.yaml", "mongo")),
    Bug("B14 the user's number as the group's", "HL055",
        one("services:", "  sonarr:", "    image: lscr.io/linuxserver/sonarr:4.0.15",
            "    environment: ['PUID=${PUID}', 'PGID=${PUID}']"),
        ("apps/compose.yaml", "PGID"), env={"PUID": "1000", "PGID": "1000"}),
    Bug("B15 a backup that sleeps", "HL083",
        one("services:", "  backrest:", "    image: garethgeorge/backrest:v1.8.1", "    restart: 'no'",
            "    labels: ['sablier.enable=true', 'sablier.group=backrest']"),
        ("apps/compose.yaml", "sablier.enable")),
    Bug("B17 an updater of everything", "HL118",
        one("services:", "  watchtower:", "    image: containrrr/watchtower:1.7.1", "    restart: always",
            "    volumes: ['/var/run/docker.sock:/var/run/docker.sock']"),
        ("apps/compose.yaml", "watchtower")),
    Bug("a socket proxy that lets everything through", "HL099",
        one("services:", "  dockerproxy:", "    image: tecnativa/docker-socket-proxy:v0.4.1", "    privileged: true",
            "    environment: {EXEC: 1, POST: 1}", "    volumes: ['/var/run/docker.sock:/var/run/docker.sock:ro']"),
        ("apps/compose.yaml", "EXEC")),
    Bug("B19 an outside route that asks nobody to log in", "HL080", core(remote=DYNAMIC_ROUTER),
        ("core/traefik/dynamic/remote.yml", "rule:")),
    Bug("B20 an address that is shown and leads nowhere", "HL304",
        lab(apps=HEAD + routed("dockge", "louislam/dockge:1.5.0", 5001, host="dockge.box") + NETWORK
            + "x-dockge:\n  urls:\n    - https://dockge.${DOMAIN}\n"),
        ("apps/compose.yaml", "https://dockge.${DOMAIN}")),
)  # fmt: skip
