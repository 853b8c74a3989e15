"""Listings of docs/hosts.md, typed as they stand there: a Docker host over SSH, then over mutual TLS, then another CA.

Real here: the command, both engines, SSH and scp, TLS, Compose. Stand-ins: the service's program, and whoever sits at
the other machine: ``daemon.json`` is written there as the command printed it, and Docker is started anew.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from testbed import Scratch
from testbed.definitions import definition, provide
from tests.doc_play import Shell, played
from tests.docker.doc_rig import APPROVE, SSH_NAME, WRITE, new_lab, shell_of
from tests.docker.host_rig import OtherMachine

pytestmark = [pytest.mark.timeout(580), pytest.mark.nightly]

THERE = "/etc/docker/tls"


@pytest.fixture
def nas(docker_engine: str) -> Iterator[OtherMachine]:
    images = provide([definition("uptime-kuma")])
    with OtherMachine(94) as machine:
        machine.load(*(image.reference for image in images))
        yield machine


def restart_docker(machine: OtherMachine) -> None:
    """As ``systemctl restart docker`` there."""
    machine.lose_power()
    machine.come_back()


def test_a_host_is_reached_by_ssh_then_by_certificates_and_those_by_another_authority(
    nas: OtherMachine, tmp_path: Path, testbed_run: Scratch
) -> None:
    networks = {f"{kind}_network": testbed_run.network(kind) for kind in ("route", "internal")}
    root = new_lab(tmp_path / "stacks", **networks)
    etc = nas.folder / "etc-docker-tls"
    meant = {f"tcp://{SSH_NAME}": f"tcp://{nas.address}", "192.168.1.20": nas.address}
    meant |= {THERE: str(etc), "/opt/stacks": str(root)}
    shell = shell_of(root, meant, programs=nas.sshd(SSH_NAME))

    with played("docs/hosts.md", __file__) as play:
        play.type(shell, play.beginning("host add nas ssh:"), replies=WRITE)
        (added,) = play.type(shell, play.beginning("add uptime-kuma"), replies=APPROVE)
        assert "uptime-kuma" in nas.running(), added
        (status,) = play.type(shell, play.beginning("status"))
        assert re.search(r"uptime-kuma\s.*\bnas\b", status.said), status
        (checked,) = play.type(shell, play.beginning("host check"))
        assert re.search(rf"nas\s+Docker \S+ in \d+ ms\s+ssh://root@{SSH_NAME}  nas-watch", checked.said), checked

        (made,) = play.type(shell, play.beginning("host tls nas --name"))
        play.type(shell, play.beginning("ssh"), play.beginning("scp"))
        assert (etc.stat().st_mode & 0o777, (etc / "key.pem").stat().st_mode & 0o777) == (0o700, 0o600)
        (daemon,) = re.findall(r"daemon\.json: (\{.*\})", made.said)
        nas.daemon_json = json.loads(shell.words(daemon))
        assert f"tcp://{nas.address}:2376" in nas.daemon_json["hosts"], "where the other machine listens"
        restart_docker(nas)
        play.type(shell, play.beginning("host add nas tcp:"), replies=WRITE)
        assert well(shell) == f"tcp://{nas.address}:2376"
        (days,) = play.type(shell, play.beginning("host tls nas --check"))
        assert len(re.findall(r"\b39[67] days", days.said)) == 2, days
        before = (etc / "cert.pem").read_text()
        (rotated,) = play.type(shell, play.beginning("host tls nas --rotate"))
        assert well(shell), "the host's old certificate goes on working"
        follow(shell, nas, rotated.said)
        assert (etc / "cert.pem").read_text() != before
        assert well(shell)

        old = (etc / "ca.pem").read_text()
        begin, look, go_on = (line for line in play.lines if "renew-ca" in line.commands[0].words)
        play.type(shell, begin)
        (told,) = play.type(shell, look)
        follow(shell, nas, told.said)
        assert well(shell), "both authorities count"
        (told,) = play.type(shell, go_on)
        follow(shell, nas, told.said)
        last = shell.type(go_on)
        assert last.code == 0, last
        assert well(shell)
        assert old.strip() not in (etc / "ca.pem").read_text()


def well(shell: Shell) -> str:
    """The host's address, once ``host check`` finds nothing against it; "" where it does."""
    looked = shell.type("homelab-mcp host check nas --json")
    (row,) = json.loads(looked.said)["hosts"]
    return str(row["address"]) if looked.code == 0 and row["answers"] else ""


def follow(shell: Shell, machine: OtherMachine, told: str) -> None:
    """Do what the command said: copy the host's part over, and start Docker there anew."""
    (copy,) = re.findall(r"scp -p \S+ \S+", told)
    assert "restart Docker there" in told
    done = shell.type(copy)
    assert done.code == 0, done
    restart_docker(machine)
