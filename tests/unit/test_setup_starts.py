"""``script/setup`` installs servers as parts of tests, and starts none: its own functions, with stand-ins."""

from __future__ import annotations

import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

SETUP = (Path(__file__).parents[2] / "script/setup").read_text("utf-8")
STAND_INS = """
set -euo pipefail
as_root() { "$@"; }
say() { echo "say $*"; }
warn() { echo "warn $*"; }
have() { return 0; }
runs_systemd() { return 0; }
systemctl() { echo "systemctl $*"; }
install_packages() {
  if [ -e "$policy" ]; then sh "$policy" haproxy start && answer=0 || answer=$?; echo "start is answered $answer"; fi
  touch "$units/haproxy.service"
  eval "$THEN"
}
"""


def setup(folder: Path, then: str = "true") -> subprocess.Popen[str]:
    """The part of the script that installs quietly, with its files in that folder."""
    part = re.search(r"^policy=.*?^}\n\n# From 0.26", SETUP, re.MULTILINE | re.DOTALL)
    assert part, "no such part in script/setup"
    (folder / "units").mkdir(exist_ok=True)
    (folder / "units/postgresql.service").touch()
    text = part[0].replace("/usr/sbin/policy-rc.d", f"{folder}/policy-rc.d")
    text = text.replace("/lib/systemd/system", f"{folder}/units").replace("/etc/init.d", f"{folder}/none")
    call = "\nwithout_starts install_packages haproxy postgresql && code=0 || code=$?\necho ended $code\n"
    return subprocess.Popen(
        # As at a terminal, also where whoever runs the tests ignores these signals (nohup), which programs inherit.
        ["env", "--default-signal=HUP,INT,TERM", "bash", "-c", f"{STAND_INS}\nunits={folder}/units\n{text}{call}"],
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "THEN": then},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


@pytest.mark.parametrize(("then", "code"), [("true", 0), ("return 7", 7)])
def test_what_is_installed_starts_neither_now_nor_at_boot(tmp_path: Path, then: str, code: int) -> None:
    said = setup(tmp_path, then).communicate(timeout=30)[0].splitlines()
    assert "policy-rc.d" in said[0]
    assert said[1:] == ["start is answered 101", "systemctl --quiet disable haproxy", f"ended {code}"]
    assert not (tmp_path / "policy-rc.d").exists()


def test_a_persons_own_policy_stays_and_one_of_a_killed_run_goes(tmp_path: Path) -> None:
    policy = tmp_path / "policy-rc.d"
    policy.write_text("#!/bin/sh\nexit 104\n")
    said = setup(tmp_path).communicate(timeout=30)[0].splitlines()
    assert said[0] == "start is answered 104"
    assert policy.read_text() == "#!/bin/sh\nexit 104\n"
    policy.write_text("# Of homelab-mcp script/setup\n")
    assert "start is answered 101" in setup(tmp_path).communicate(timeout=30)[0]
    assert not policy.exists()


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_who_breaks_it_off_finds_no_policy_left(tmp_path: Path, sign: signal.Signals) -> None:
    running = setup(tmp_path, "touch $units/here; for i in $(seq 200); do sleep 0.1; done")
    for _ in range(300):
        if (tmp_path / "units/here").exists():
            break
        time.sleep(0.05)
    assert (tmp_path / "policy-rc.d").exists()
    running.send_signal(sign)
    running.communicate(timeout=30)
    assert running.returncode == 128 + sign
    assert not (tmp_path / "policy-rc.d").exists()
