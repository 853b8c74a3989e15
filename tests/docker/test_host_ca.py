"""Two real Docker hosts over mutual TLS change their CA: both are reached all along, and trust in the old one ends."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID

from homelab_mcp.adapters.tls_authority import read_authority
from homelab_mcp.adapters.tls_issue import issue, key_pem, pem
from homelab_mcp.bootstrap import open_lab
from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.workflow.change_hosts import added, make_tls, write_hosts
from homelab_mcp.workflow.init_lab import init_lab
from homelab_mcp.workflow.renew_ca import ca_renewal, step_ca
from tests.docker.host_rig import OtherMachine
from tests.docker.lab import PIN

pytestmark = pytest.mark.timeout(240)


def _docker(address: str, folder: Path) -> int:
    """The exit code of Docker's own client with these certificates."""
    words = ["docker", "--tlsverify", "-H", f"tcp://{address}:2376"]
    words += [f"--tls{what}={folder}/{file}.pem" for what, file in (("cacert", "ca"), ("cert", "cert"), ("key", "key"))]
    done = subprocess.run([*words, "version"], capture_output=True, text=True, check=False, timeout=30)
    return done.returncode


def test_two_daemons_change_their_ca_one_after_the_other_and_answer_all_along(tmp_path: Path) -> None:
    root = tmp_path / "stacks"
    init_lab(open_lab(str(root), files_only=True), {"domain": "lab.test"}, PIN)
    made = root / ".homelab" / "tls"
    with pytest.MonkeyPatch.context() as patch:
        there = {name: tmp_path / f"etc-{name}" for name in ("attic", "cellar")}
        numbers = {"attic": 77, "cellar": 78}
        for name, number in numbers.items():
            make_tls(open_lab(str(root)), name, (f"10.214.{number}.2",), 90, again=False)
            shutil.copytree(made / name / "server", there[name])
        before = tmp_path / "before"
        shutil.copytree(made, before)
        with (
            OtherMachine(77, tls=there["attic"]) as attic,
            OtherMachine(78, tls=there["cellar"]) as cellar,
        ):
            machines = {"attic": attic, "cellar": cellar}
            for name, machine in machines.items():
                lab = open_lab(str(root))
                write_hosts(lab, added(lab, name, f"tcp://{machine.address}:2376", "", "", 10.0, unreached=False))
            patch.setenv("DOCKER_HOST", attic.socket)
            # As a server that runs all the time: it must take up each change by itself.
            lab = open_lab(str(root))

            def copied(name: str, *files: str) -> None:
                for file in files or ("ca.pem", "cert.pem", "key.pem"):
                    shutil.copy2(made / name / "server" / file, there[name] / file)
                machines[name].lose_power()
                machines[name].come_back()

            def stages(step: Callable[[], dict[str, object]]) -> dict[str, str]:
                rows = step()["hosts"]
                assert isinstance(rows, list)
                assert not [row for row in rows if "error" in row], rows
                answers = {one.name: one.error for one in lab.hosts.looks(("attic", "cellar"))}
                assert answers == {"attic": "", "cellar": ""}
                return {row["host"]: row["stage"] for row in rows}

            def go_on() -> dict[str, object]:
                return step_ca(lab, 90, begin=False)

            assert ca_renewal(lab)["under_way"] is False
            with pytest.raises(InvalidInput) as refused:
                go_on()
            assert refused.value.code == "no_ca_under_way"
            assert stages(lambda: step_ca(lab, 90, begin=True)) == {"attic": "copy", "cellar": "copy"}
            said = ca_renewal(lab)["next"]
            assert (
                f"attic: scp -p {root}/.homelab/tls/attic/server/*.pem root@{attic.address}:/etc/docker/tls/" in said[0]
            )

            copied("attic")
            # In the overlap the daemon takes both: the certificate that this machine had, and one of the new CA.
            assert _docker(attic.address, made / "attic/client") == 0
            assert stages(lambda: ca_renewal(lab)) == {"attic": "switch", "cellar": "copy"}
            assert stages(go_on) == {"attic": "narrow", "cellar": "copy"}
            assert _docker(attic.address, made / "attic/client") == 0
            copied("attic", "ca.pem")
            assert stages(lambda: ca_renewal(lab)) == {"attic": "done", "cellar": "copy"}
            copied("cellar")
            assert stages(go_on) == {"attic": "done", "cellar": "narrow"}
            copied("cellar", "ca.pem")
            assert stages(go_on) == {}

            for name, machine in machines.items():
                assert _docker(machine.address, made / name / "client") == 0
                # With the new CA to know the daemon by, so that it is the daemon who says no.
                old = before / name / "client"
                shutil.copy2(made / "ca/ca.pem", old / "ca.pem")
                assert _docker(machine.address, old) != 0, name
            text = (root / ".homelab/journal.jsonl").read_text()
            assert '"finished"' in text
            assert "PRIVATE KEY" not in text
            tracked = lab.history.held()
            assert not [path for path in tracked if "tls" in path or path.endswith(".pem")]


def test_a_daemon_that_turns_an_ended_certificate_away_comes_to_the_end(tmp_path: Path) -> None:
    root, there = tmp_path / "stacks", tmp_path / "etc"
    init_lab(open_lab(str(root), files_only=True), {"domain": "lab.test"}, PIN)
    made = root / ".homelab" / "tls"
    make_tls(open_lab(str(root)), "loft", ("10.214.79.2",), 90, again=False)
    shutil.copytree(made / "loft/server", there)
    ca = read_authority(made / "ca", "ca.pem")
    ended, key = issue(ca.certificate, ca.key, "homelab-mcp for loft", [], ExtendedKeyUsageOID.CLIENT_AUTH, 0)
    (made / "loft/client/cert.pem").write_text(pem(ended))
    (made / "loft/client/key.pem").write_text(key_pem(key))
    with pytest.MonkeyPatch.context() as patch, OtherMachine(79, tls=there) as loft:
        lab = open_lab(str(root))
        write_hosts(lab, added(lab, "loft", f"tcp://{loft.address}:2376", "", "", 10.0, unreached=True))
        patch.setenv("DOCKER_HOST", loft.socket)
        lab = open_lab(str(root))

        def copied(*files: str) -> None:
            for file in files:
                shutil.copy2(made / "loft/server" / file, there / file)
            loft.lose_power()
            loft.come_back()

        def row(found: dict[str, object]) -> tuple[str, str]:
            rows = found["hosts"]
            assert isinstance(rows, list)
            (one,) = rows
            return one["stage"], one.get("error", "")

        assert _docker(loft.address, made / "loft/client") != 0
        assert row(step_ca(lab, 90, begin=True)) == ("copy", "It turns this machine away.")
        copied("ca.pem", "cert.pem", "key.pem")
        assert row(ca_renewal(lab)) == ("switch", "")
        assert row(step_ca(lab, 90, begin=False)) == ("narrow", "")
        assert _docker(loft.address, made / "loft/client") == 0
        copied("ca.pem")
        assert step_ca(lab, 90, begin=False)["under_way"] is False
        assert _docker(loft.address, made / "loft/client") == 0
