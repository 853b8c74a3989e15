"""The shell scripts inside a stand-in image. They run under busybox, as any user, on a read-only root."""

import shlex
from collections.abc import Sequence

ENTRYPOINT = "/stand-in/serve"

# A name that is no applet of the installed busybox would be a dead link, so only common ones.
APPLETS = """
    [ ash awk base64 basename cat chmod chown cp cut date dd df dirname du echo env expr false find grep
    head hostname httpd id ip kill ln ls mkdir mktemp mv nc netstat nproc od pgrep pidof pkill printf ps
    pwd readlink realpath rm sed seq sh sleep sort stat tail tee test timeout touch tr true uname uniq
    uptime wc wget which whoami xargs
""".split()  # noqa: SIM905 - sixty quoted lines say no more

# Debian's static busybox crashes in wget when given a time limit (-T) and knows none of the long options,
# so those stop here, and `timeout` holds the limit instead.
WGET = """
count=$#
while [ "$count" -gt 0 ]; do
  argument=$1
  shift
  count=$((count - 1))
  case $argument in
    -T|-t|--timeout|--tries) shift; count=$((count - 1)) ;;
    -T?*|-t?*|--timeout=*|--tries=*|-nv|--no-verbose|--no-hsts|--max-redirect=*|-4|-6) ;;
    --quiet) set -- "$@" -q ;;
    --output-document=*) set -- "$@" -O "${argument#*=}" ;;
    *) set -- "$@" "$argument" ;;
  esac
done
exec /bin/busybox timeout 10 /bin/busybox wget "$@"
"""

DOCKER_PARTS = (
    "auth", "build", "commit", "configs", "containers", "distribution", "events", "exec", "grpc", "images", "info",
    "networks", "nodes", "plugins", "secrets", "services", "session", "swarm", "system", "tasks", "version", "volumes",
)  # fmt: skip
"""Parts of Docker's API that a socket proxy has a variable for, of the same name in capitals; and PING."""

SOCKET_RULES = "\n".join(
    f"  http-request allow if {{ path -m reg ^(/v[0-9.]+)?/{path} }} {{ env({variable}) -m bool }}"
    for path, variable in [*((part, part.upper()) for part in DOCKER_PARTS), ("_ping", "PING")]
)

# What a Docker socket proxy lets through, in HAProxy's own words, as images of that kind do it with their variables.
SOCKET_FILTER = f"""
global
  maxconn 200
defaults
  mode http
  timeout connect 10s
  timeout client 10m
  timeout server 10m
frontend clients
  bind :2375
  http-request deny unless METH_GET || {{ env(POST) -m bool }}
  http-request deny if {{ path -m reg (/archive|/export|/logs|/top|/changes|/attach[a-z/]*)$ }} !{{ env(POST) -m bool }}
{SOCKET_RULES}
  http-request deny
  use_backend events if {{ path -m reg ^(/v[0-9.]+)?/events }}
  default_backend engine
backend engine
  server docker unix@/var/run/docker.sock
backend events
  timeout server 0
  server docker unix@/var/run/docker.sock
"""

# Enough of curl for health checks: every HTTP error fails, as with --fail.
CURL = """
url= output= body=
while [ $# -gt 0 ]; do
  case $1 in
    --output) output=$2; shift ;;
    --data|--data-raw) body=$2; shift ;;
    --header|--request|--max-time|--connect-timeout|--user|--retry|--write-out|--user-agent) shift ;;
    --*) ;;
    -*o) output=$2; shift ;;
    -*d) body=$2; shift ;;
    -*[HXmuAw]) shift ;;
    -*) ;;
    *) url=$1 ;;
  esac
  shift
done
case $url in http*) ;; *) url=http://$url ;; esac
set -- -q -O "${output:--}" --no-check-certificate
[ -z "$body" ] || set -- "$@" --post-data "$body"
exec /bin/busybox timeout 10 /bin/busybox wget "$@" "$url"
"""

# The same busybox knows no -z: connecting with nothing to say comes to the same.
NC = """
scan=no
for argument in "$@"; do case $argument in --*) ;; -*z*) scan=yes ;; esac; done
[ "$scan" = yes ] || exec /bin/busybox nc "$@"
while [ $# -gt 2 ]; do shift; done
exec /bin/busybox timeout 5 /bin/busybox nc "$1" "$2" </dev/null >/dev/null
"""

# In /bin, as some health checks give the full path.
DEFAULT_SHIMS = {
    f"{folder}/{name}": script
    for name, script in {"wget": WGET, "curl": CURL, "nc": NC}.items()
    for folder in ("/bin", "/usr/bin")
}


def serve_script(service: str, ports: Sequence[int], variant: str) -> str:
    """Return the image's entrypoint. It ignores its arguments, so any `command:` leaves it as it is."""
    name = shlex.quote(service)
    if variant == "crash_loop":
        return f"#!/bin/sh\necho stand-in for {name}: failing on purpose >&2\nsleep 0.2\nexit 1\n"
    listeners = [f"/bin/busybox nc -ll -p {port} -e /stand-in/handler &" for port in ports]
    if variant == "unhealthy":
        listeners = ["sleep 2147483647 &"]
    # The shell is process 1 and would ignore SIGTERM without a trap: ten seconds for every stop.
    lines = [
        "#!/bin/sh",
        "PATH=/bin:$PATH",
        "trap 'exit 0' TERM INT QUIT",
        f"echo stand-in for {name}: {variant}, ports {' '.join(map(str, ports))}",
        *listeners,
        "wait",
    ]
    return "\n".join(lines) + "\n"


SESSION_COOKIE = "stand-in-session"

# What a sign-on portal does for Traefik's forwardAuth: who has no session is sent to the log-in page.
FORWARD_AUTH = f"""
case $request in *' /api/authz/'*) case $headers in *{SESSION_COOKIE}=*) ;; *)
  host=$(printf '%s' "$headers" | sed -n 's/^[Xx]-[Ff]orwarded-[Hh]ost: *//p' | head -n 1)
  printf 'HTTP/1.1 302 Found\\r\\nLocation: https://auth.%s/?rd=https://%s/\\r\\n' "${{host#*.}}" "$host"
  printf 'Content-Length: 0\\r\\nConnection: close\\r\\n\\r\\n'
  exit 0 ;;
esac ;; esac
"""


def handler_script(service: str, status: int, variant: str = "serve") -> str:
    """Return what answers one HTTP request: the same page for every path, and the request on it."""
    reason = "OK" if status == 200 else "Service Unavailable"
    return f"""#!/bin/sh
PATH=/bin:$PATH
carriage_return=$(printf '\\r')
read -r request
request=${{request%"$carriage_return"}}
case $request in *' HTTP/1.'?) ;; *) exit 0 ;; esac
headers= length=0
while read -r line; do
  line=${{line%"$carriage_return"}}
  [ -n "$line" ] || break
  headers="$headers$line
"
  case $line in [Cc]ontent-[Ll]ength:*) length=${{line#*:}}; length=${{length# }} ;; esac
done
# A body left unread would make the kernel reset the connection under the answer.
[ "$length" = 0 ] || head -c "$length" >/dev/null
{FORWARD_AUTH if variant == "forward_auth" else ""}
page="stand-in for {service}
$request
$headers"
printf 'HTTP/1.1 {status} {reason}\\r\\nContent-Type: text/plain\\r\\nConnection: close\\r\\n'
printf 'Content-Length: %s\\r\\n\\r\\n' "${{#page}}"
case $request in HEAD*) ;; *) printf '%s' "$page" ;; esac
"""
