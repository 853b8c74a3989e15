"""The compose files of the lab that runs while scripted agents work on it; words in ``@`` are filled in."""

from __future__ import annotations


def routed(name: str, port: int = 80, middlewares: str = "") -> str:
    """A service with a route; ``port`` is where Traefik is told that it listens."""
    router = f"traefik.http.routers.{name}-@RUN@"
    more = f"      {router}.middlewares: {middlewares}\n" if middlewares else ""
    return f"""\
  {name}:
    image: @IMAGE@
    stop_signal: KILL
    networks: [routes]
    labels:
      lab: "@RUN@"
      traefik.enable: "true"
      {router}.rule: Host(`{name}.lab.test`)
      {router}.entrypoints: websecure
{more}      traefik.http.services.{name}-@RUN@.loadbalancer.server.port: "{port}"
    HEALTH
"""


HEALTH = "healthcheck: {test: [CMD, /bin/sh, -c, 'true'], interval: 1s, retries: 3}"
STACKS = {
    "core": """\
services:
  traefik:
    image: @TRAEFIK@
    command:
      - --providers.docker.exposedbydefault=false
      - --providers.docker.constraints=Label(`lab`,`@RUN@`)
      - --providers.docker.network=@NETWORK@
      - --entrypoints.websecure.address=:443
      - --entrypoints.websecure.http.tls=true
      - --api=true
    ports: ["127.0.0.1:@PORT@:443"]
    volumes: ["/var/run/docker.sock:/var/run/docker.sock:ro"]
    networks: [routes]
    stop_signal: KILL
    labels: {homelab.service: traefik}
networks: {routes: {external: true, name: @NETWORK@}}
""",
    "media": "services:\n"
    + routed("player")
    + routed("misrouted", port=8099)
    + routed("guarded", middlewares="login@docker")
    + """\
  downloader:
    image: @IMAGE@
    entrypoint: [/bin/sh, -c, 'echo x > /data/x || exit 1; exec sleep 1000']
    user: "1234:1234"
    volumes: ["./closed:/data"]
    restart: always
networks: {routes: {external: true, name: @NETWORK@}}
""",
    "monitoring": """\
services:
  watch:
    image: @IMAGE@
    entrypoint: [/bin/sh, -c, 'echo "INFO watching"; echo "ERROR cannot reach collector - connection refused";
      exec sleep 1000']
    stop_signal: KILL
    HEALTH
  looping:
    image: @IMAGE@
    entrypoint: [/bin/sh, -c, 'echo "FATAL config.yml line 3 is no setting"; exit 1']
    restart: always
""",
    "notes": """\
services:
  pad:
    image: @IMAGE@
    stop_signal: KILL
    volumes: ["./pad:/data"]
    HEALTH
""",
    "memos": """\
services:
  memo:
    image: @IMAGE@
    entrypoint: [/bin/busybox, httpd, -f, -p, "8080", -h, /www]
    stop_signal: KILL
    labels: {homelab.service: memo}
    volumes: ["./www:/www:ro"]
    HEALTH
  shelf:
    image: @IMAGE@
    stop_signal: KILL
    healthcheck: {test: [CMD, /bin/sh, -c, 'test -e /shelf.sock'], interval: 1s, retries: 2}
""",
    "sieve": """\
services:
  leaky:
    image: @IMAGE@
    entrypoint: [/bin/sh, -c, '/bin/busybox dd if=/dev/zero of=/dev/shm/kept bs=1M count=72 && exec sleep 1000']
    shm_size: 128m
    mem_limit: 256m
    stop_signal: KILL
  steady:
    image: @IMAGE@
    stop_signal: KILL
    HEALTH
""",
    "dash": """\
services:
  board:
    image: @IMAGE@
    stop_signal: KILL
    HEALTH
""",
}
STACKS = {name: text.replace("HEALTH", HEALTH) for name, text in STACKS.items()}
