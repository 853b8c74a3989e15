"""The commands of docs/service-apis.md, typed where a service answers: a STAND-IN of Sonarr, with the paths of its API.

The stand-in is HAProxy, which keeps what it was told and asks every call for the key.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from testbed import Scratch
from testbed.docker_engine import docker
from testbed.images import ensure_socket_proxy
from tests.doc_play import played, shell_of
from tests.e2e.server import PIN, LabOnDisk

pytestmark = pytest.mark.timeout(240)

KEY = "0123456789abcdef0123456789abcdef"
JSON = "status 200 content-type application/json"
SONARR = f"""\
defaults
  mode http
  timeout connect 10s
  timeout client 1m
  timeout server 1m
frontend sonarr
  bind :8989
  http-request return status 401 unless {{ req.hdr(X-Api-Key) -m str {KEY} }}
  http-request set-var(proc.monitored) str(false) if METH_PUT {{ path /api/v3/series/editor }}
  http-request return {JSON} string "[]" if METH_PUT {{ path /api/v3/series/editor }}
  http-request set-var(txn.monitored) str(true)
  http-request set-var(txn.monitored) var(proc.monitored) if {{ var(proc.monitored) -m found }}
  http-request return {JSON} lf-string '{{"id":3,"title":"The Expanse","monitored":%[var(txn.monitored)]}}' if {{ path /api/v3/series/3 }}
  http-request return {JSON} string '[{{"title":"The Expanse","year":2015}}]' if {{ path /api/v3/series/lookup }} {{ url_param(term) -m found }}
  http-request return status 404
"""  # noqa: E501


def test_the_page_s_commands_ask_a_service_and_change_it_by_a_plan(tmp_path: Path, testbed_run: Scratch) -> None:
    stack = testbed_run.claim_project(f"media-{testbed_run.run_id}")
    image = f"homelab-testbed/sonarr:{testbed_run.run_id}"
    ensure_socket_proxy(image)
    lab = LabOnDisk(tmp_path / "stacks")
    lab.init()
    folder = lab.root / stack
    folder.mkdir()
    (folder / "haproxy.cfg").write_text(SONARR)
    (folder / ".env").write_text(f"SONARR_API_KEY={KEY}\n")
    (folder / "compose.yaml").write_text(
        f"services:\n  sonarr:\n    image: {image}\n    labels: {{homelab.service: sonarr}}\n"
        "    volumes: ['./haproxy.cfg:/stand-in/haproxy.cfg:ro']\n    init: true\n"
    )
    subprocess.run(["docker", "compose", "up", "--detach", "--no-build"], cwd=folder, check=True, capture_output=True)
    try:
        shell = shell_of(lab.root)
        with played("docs/service-apis.md", __file__) as play:
            services, operations, lookup, change = play.lines
            (told,) = play.type(shell, services)
            assert "sonarr" in told.said and "SONARR_API_KEY" in told.said, told
            (told,) = play.type(shell, operations)
            assert "set_monitored" in told.said, told
            (told,) = play.type(shell, lookup)
            assert "2015" in told.said, told
            (told,) = play.type(shell, change, replies=[("Approval PIN", PIN)])
            assert told.code == 0 and "- monitored: true" in told.said, told
        assert KEY not in told.said
        seen = lab.json("api", "sonarr", "one_series", "--set", "id=3")
        assert seen["data"]["monitored"] is False, seen
    finally:
        subprocess.run(["docker", "compose", "down", "--timeout", "1"], cwd=folder, check=True, capture_output=True)
        docker("rmi", "--force", image)
