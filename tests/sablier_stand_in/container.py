"""A STAND-IN for Sablier's image: it asks the engine it is given, as Sablier does, to start, watch and stop a group.

By Docker's own API, through whatever ``DOCKER_HOST`` names: containers with ``sablier.enable=true`` of the group that
is asked for. It lets requests through once all run and are healthy, and stops them when their session has run out.
"""

from __future__ import annotations

from testbed.images import SEARCH_PATH, LocalImage, Recipe, accounts, find_program, put_image
from testbed.shims import APPLETS

_ASK = r"""
docker=${DOCKER_HOST#tcp://}
api() { # METHOD PATH
  printf '%s %s HTTP/1.0\r\nHost: docker\r\nContent-Length: 0\r\n\r\n' "$1" "$2" |
    busybox timeout 20 busybox nc "${docker%:*}" "${docker##*:}"
}
group() { # of its containers the ids
  labels="%22sablier.enable%3Dtrue%22%2C%22sablier.group%3D$1%22"
  api GET "/containers/json?all=1&filters=%7B%22label%22%3A%5B$labels%5D%7D" |
    tr ',' '\n' | sed -n 's/.*"Id":"\([0-9a-f]\{64\}\)".*/\1/p'
}
"""

_SERVE = r"""#!/bin/sh
PATH=/bin:$PATH
trap 'exit 0' TERM INT QUIT
mkdir -p /tmp/sessions
busybox nc -ll -p 10000 -e /stand-in/handler &
while :; do
  for file in /tmp/sessions/*; do
    [ -f "$file" ] || continue
    if [ "$(date +%s)" -ge "$(cat "$file")" ]; then
      rm -f "$file"
      for id in $(group "${file##*/}"); do api POST "/containers/$id/stop?t=1" >/dev/null; done
    fi
  done
  sleep 0.5 &
  wait $!
done
"""

_HANDLER = r"""#!/bin/sh
PATH=/bin:$PATH
return_=$(printf '\r')
read -r method target rest
while read -r line; do [ -n "${line%"$return_"}" ] || break; done
value() { printf '%s' "$target" | tr '?&' '\n\n' | sed -n "s/^$1=//p"; }
say() { # STATUS BODY
  printf 'HTTP/1.1 200 OK\r\nX-Sablier-Session-Status: %s\r\nContent-Length: %s\r\n' "$1" "${#2}"
  printf 'Connection: close\r\n\r\n%s' "$2"
}
case $target in /api/strategies/*) ;; *) say ready ok; exit 0 ;; esac
name=$(value group)
length=$(value session_duration)
case $length in *m) seconds=$((${length%m} * 60)) ;; *) seconds=${length%s} ;; esac
ids=$(group "$name")
[ -n "$ids" ] || { printf 'HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n'; exit 0; }
ready=yes
for id in $ids; do
  state=$(api GET "/containers/$id/json" | tr -d '\n')
  case $state in *'"Status":"running"'*) ;; *) ready=no; api POST "/containers/$id/start" >/dev/null ;; esac
  case $state in *'"Health":'*) case $state in *'"Status":"healthy"'*) ;; *) ready=no ;; esac ;; esac
done
echo $(($(date +%s) + seconds)) >"/tmp/sessions/$name"
if [ "$ready" = yes ]; then say ready ''; else say not-ready "waiting for $(value display_name)"; fi
"""


def ensure_sablier(reference: str) -> LocalImage:
    """Put the stand-in on the engine. Raises TestbedError."""
    shebang, _, serve = _SERVE.partition("\n")
    first, _, handler = _HANDLER.partition("\n")
    recipe = Recipe(
        kind="stand-in",
        changes=('ENTRYPOINT ["/stand-in/serve"]', f"ENV PATH={SEARCH_PATH}", "EXPOSE 10000"),
        programs={"/bin/busybox": find_program("busybox", "busybox-static")},
        scripts={
            "/stand-in/serve": f"{shebang}\n{_ASK}{serve}",
            "/stand-in/handler": f"{first}\n{_ASK}{handler}",
            "/bin/sablier": "#!/bin/sh\nexec /bin/busybox nc 127.0.0.1 10000 </dev/null >/dev/null\n",
        },
        files=accounts(),
        links={f"/bin/{applet}": "busybox" for applet in APPLETS},
    )
    put_image(reference, recipe)
    return LocalImage(reference, is_stand_in=True)
