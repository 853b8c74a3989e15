"""The listing of docs/sign-on.md for a lost device, typed as it stands there.

Authelia itself cannot be had here: a stand-in takes the words of its command line, as its reference has them
(authelia.com, reference/cli: ``storage user totp delete``, ``storage user webauthn delete``), and refuses all others.
"""

from __future__ import annotations

from pathlib import Path

from testbed import Scratch, stand_in
from tests.doc_play import played, shell_of

IMAGE = "homelab-tests/authelia-devices:1"
AUTHELIA = """\
[ "$1 $2" = "storage user" ] || { echo "unknown command: $*" >&2; exit 1; }
case "$3 $4 $#" in
  "totp delete 5") kind=totp ;;
  "webauthn delete 6") [ "$6" = --all ] || { echo "unknown flag: $6" >&2; exit 1; }; kind=webauthn ;;
  *) echo "unknown command: $*" >&2; exit 1 ;;
esac
[ -e "/tmp/devices/$5.$kind" ] || { echo "$5 has no $kind" >&2; exit 1; }
rm "/tmp/devices/$5.$kind"
"""


def test_a_lost_device_is_deleted_and_no_other(docker_engine: str, testbed_run: Scratch, tmp_path: Path) -> None:
    stand_in(IMAGE, service="authelia", shims={"authelia": AUTHELIA})
    authelia = testbed_run.container(IMAGE)
    devices = [f"{who}.{kind}" for who in ("alice", "bob") for kind in ("totp", "webauthn")]
    authelia.exec("sh", "-c", f"mkdir /tmp/devices && cd /tmp/devices && touch {' '.join(devices)}")
    with played("docs/sign-on.md", __file__) as play:
        play.type(shell_of(tmp_path, {"docker exec authelia": f"docker exec {authelia.name}"}))
    assert authelia.exec("ls", "/tmp/devices").split() == ["alice.totp", "alice.webauthn"]
