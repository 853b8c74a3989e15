"""One image that stands in for every container of the catalog; its environment says for which, and on which ports.

Where many services are started at once, an image for each costs more than all the rest. The programs that health checks
call are in it too, and ask just what the check names: its URL, its ``/dev/tcp`` path, its port. What they would say of
the real service, nobody here can know.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from pathlib import PurePosixPath

from homelab_mcp.model.definition import Container, ServiceDefinition
from testbed.acme import make_certificates
from testbed.images import SEARCH_PATH, Recipe, accounts, find_program, put_image
from testbed.shims import APPLETS, DEFAULT_SHIMS, handler_script

REAL_TOOLS = frozenset({"wget", "curl", "nc", "sh", "ash", "grep", "exit", "true", "test", "["})
OWN_FOLDERS = frozenset({"config", "data", "database", "cache"})
PLAIN = 64999
"""Where the page behind a TLS port is; HAProxy in front of it speaks TLS."""

SERVE = f"""#!/bin/sh
PATH=/bin:$PATH
trap 'exit 0' TERM INT QUIT
for pair in $STAND_IN_OWNERS; do
  seen=$(stat -c %u:%g "${{pair%=*}}")
  [ "$seen" = "${{pair##*=}}" ] || {{ echo "${{pair%=*}} belongs to $seen, not to ${{pair##*=}}" >&2; exit 1; }}
done
for folder in $STAND_IN_FOLDERS; do
  touch "$folder/.stand-in" && rm "$folder/.stand-in" || {{ echo "cannot write to $folder" >&2; exit 1; }}
done
for port in $STAND_IN_PORTS; do
  [ "$port" = "$STAND_IN_TLS" ] && port={PLAIN}
  /bin/busybox nc -ll -p "$port" -e /stand-in/handler &
done
if [ -n "$STAND_IN_TLS" ]; then
  echo "$STAND_IN_PEM" >/tmp/tls.pem
  /usr/sbin/haproxy -db -f /stand-in/tls.cfg &
fi
wait
"""

TLS = f"""
defaults
  mode http
  timeout connect 5s
  timeout client 30s
  timeout server 30s
frontend tls
  bind ":${{STAND_IN_TLS}}" ssl crt /tmp/tls.pem
  default_backend page
backend page
  server page 127.0.0.1:{PLAIN}
"""

# A shell pattern after `#` takes the shortest, so that of several addresses the first one counts.
FIND = r"""
url= before=
for argument in "$@"; do
  case "$before $argument" in "-p "[0-9]*|"--port "[0-9]*) url=http://127.0.0.1:$argument/ ;; esac
  before=$argument
  case $argument in
    *http://*) url=http://${argument#*http://} ;;
    *https://*) url=https://${argument#*https://} ;;
    */dev/tcp/*) url=${argument#*/dev/tcp/}; port=${url#*/}; url=http://127.0.0.1:${port%%[!0-9]*}/ ;;
    --port=[0-9]*) url=http://127.0.0.1:${argument#*=}/ ;;
    *127.0.0.1:[0-9]*) port=${argument#*127.0.0.1:}; url=http://127.0.0.1:${port%%[!0-9]*}/ ;;
    *localhost:[0-9]*) port=${argument#*localhost:}; url=http://127.0.0.1:${port%%[!0-9]*}/ ;;
  esac
done
url=${url%%[\"\' )\`;|]*}
[ -n "$url" ] || url=http://127.0.0.1:${STAND_IN_PORTS%% *}/
"""
# Busybox speaks no TLS of today, so behind a TLS port it is only seen that somebody listens.
GET = r"""
port=${url#*://*:}; port=${port%%[!0-9]*}
if [ -n "$STAND_IN_TLS" ] && [ "$port" = "$STAND_IN_TLS" ]; then
  /bin/busybox nc 127.0.0.1 "$port" </dev/null || exit 1
else
  /bin/wget -q -O /dev/null "$url" || exit 1
fi
"""
ASK = FIND + GET
# curl and wget by themselves ask plain pages alone, so a TLS port is taken from them before.
SECURE = f"""
for argument in "$@"; do
  case $argument in https://*:"$STAND_IN_TLS"/*|https://*:"$STAND_IN_TLS") url=$argument; {GET.strip()}; exit 0 ;; esac
done
"""
# Busybox's shell knows no /dev/tcp.
BASH = f"""
case "$*" in */dev/tcp/*) ;; *) exec /bin/sh "$@" ;; esac
{ASK}
"""
SCRIPTS = {
    "redis-cli": f"{ASK}echo PONG\n",
    "valkey-cli": f"{ASK}echo PONG\n",
    "bash": BASH,
    "wg": f"{ASK}echo interface\n",
}


_SECURE_CHECK = re.compile(r"https://(?:localhost|127\.0\.0\.1):([0-9]+)")


def any_service(definitions: Iterable[ServiceDefinition]) -> str:
    """Put the image on the engine, with every program that these definitions' health checks call; its reference."""
    programs = {p for one in definitions for container in containers(one).values() for p in programs_of(container)}
    scripts = {_path(name): f"#!/bin/sh\n{SCRIPTS.get(PurePosixPath(name).name, ASK)}\n" for name in programs}
    recipe = Recipe(
        kind="stand-in",
        changes=('ENTRYPOINT ["/stand-in/serve"]', f"ENV PATH={SEARCH_PATH}"),
        programs={
            "/bin/busybox": find_program("busybox", "busybox-static"),
            "/usr/sbin/haproxy": find_program("haproxy", "haproxy"),
        },
        scripts={
            # The shell fills the name in when it answers.
            "/stand-in/handler": handler_script("$STAND_IN", 200),
            "/stand-in/serve": SERVE,
            **{path: f"#!/bin/sh\n{SECURE}{script}\n" for path, script in DEFAULT_SHIMS.items()},
            **scripts,
        },
        files={**accounts(), "/stand-in/tls.cfg": TLS.encode()},
        links={f"/bin/{applet}": "busybox" for applet in APPLETS},
    )
    reference = f"homelab-testbed/any-service:{recipe.digest()}"
    put_image(reference, recipe)
    return reference


def containers(definition: ServiceDefinition) -> dict[str, Container]:
    """Every container of a definition, by the end of its name: "" is the main one."""
    return {"": definition.container, **{f"-{key}": each for key, each in definition.companions.items()}}


def environment(service: str, container: Container, *, tls: int = 0) -> dict[str, str]:
    """What tells the image to be this container.

    Args:
        service: the name on its page.
        container: what it stands in for: its TCP ports answer, and its own folders must be writable at the start, and
            whose its entry says.
        tls: the port that speaks TLS; 0: the one that its health check asks so, where there is one.
    """
    # A check of a service that speaks UDP alone asks here by TCP.
    ports = [p.container for p in container.ports if p.protocol == "tcp"] or [p.container for p in container.ports]
    asked = _SECURE_CHECK.search(" ".join(container.health.test if container.health else ()))
    tls = tls or (int(asked[1]) if asked and int(asked[1]) in ports else 0)
    own = [v.target for v in container.volumes if v.kind in OWN_FOLDERS and v.target and not v.read_only]
    secure = {"STAND_IN_TLS": str(tls), "STAND_IN_PEM": _pem()} if tls else {}
    return {
        "STAND_IN": service,
        "STAND_IN_PORTS": " ".join(str(port) for port in ports or [80]),
        "STAND_IN_FOLDERS": " ".join(own),
        "STAND_IN_OWNERS": " ".join(f"{v.target}={v.owner}" for v in container.volumes if v.owner),
        **secure,
    }


def programs_of(container: Container) -> set[str]:
    """What the container's health check calls and the image lacks by itself; a path where the check gives one."""
    if container.health is None:
        return set()
    kind, *words = container.health.test
    script = words[0] if kind == "CMD-SHELL" else ""
    called = {words[0]} if kind == "CMD" else set()
    if kind == "CMD" and PurePosixPath(words[0]).name in {"sh", "ash", "bash"} and len(words) > 1:
        # A script of the image by its path, or words of the shell's own after -c.
        called |= {words[1]} if words[1].startswith("/") else set()
        script = words[2] if words[1] == "-c" and len(words) > 2 else ""
    called |= {c.split()[0] for c in re.split(r"\|\||&&|[;|]", script) if c.split() and "<" not in c.split()[0]}
    return {name.strip("\"'") for name in called if PurePosixPath(name).name not in REAL_TOOLS and name != "exec"}


@functools.cache
def _pem() -> str:
    _, certificate, key = make_certificates(["any-service"])
    return (certificate + key).decode()


def _path(name: str) -> str:
    return name if name.startswith("/") else f"/usr/local/bin/{name}"
