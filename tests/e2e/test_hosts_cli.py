"""Docker hosts as a person meets them: the command shows what it writes, asks, and leaves nothing behind on a no."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.e2e.server import LabOnDisk

pytestmark = pytest.mark.timeout(240)


def test_a_host_is_added_by_a_person_shown_checked_and_removed(lab: LabOnDisk, tmp_path: Path) -> None:
    address = f"unix://{tmp_path}/none.sock"
    refused = lab.run("host", "add", "attic", address)
    assert refused.returncode == 2
    assert "--unreached" in refused.stderr
    asked = lab.run("host", "add", "attic", address, "--unreached")
    assert asked.returncode == 1
    assert f"+    address: {address}" in asked.stderr.replace('"', "")
    assert "hosts.yaml" not in lab.files()
    added = lab.json("host", "add", "attic", address, "--unreached", "--yes")
    assert added["version"] == ""
    assert lab.json("host", "list")["hosts"] == {"attic": {"address": address}}
    said = subprocess.run(
        ["git", "-c", "safe.directory=*", "-C", str(lab.root), "log", "-1", "--format=%s", "--", "hosts.yaml"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert said == "Docker hosts: add attic\n"
    found = lab.json("host", "check", "attic", code=1)
    assert [h["answers"] for h in found["hosts"]] == [False]
    assert found["findings"][0]["level"] == "fail"
    assert lab.json("host", "check", "cellar", code=1)["error"]["code"] == "host_unknown"
    (lab.root / "far").mkdir()
    (lab.root / "far" / "compose.yaml").write_text("x-homelab: {host: attic}\nservices: {web: {image: nginx}}\n")
    assert lab.json("host", "remove", "attic", "--yes", code=1)["error"]["code"] == "host_in_use"
    (lab.root / "far" / "compose.yaml").unlink()
    lab.json("host", "remove", "attic", "--yes")
    assert lab.json("host", "list")["hosts"] == {}


def test_certificates_are_made_checked_rotated_and_no_key_is_shown(lab: LabOnDisk) -> None:
    made = lab.json("host", "tls", "attic", "--name", "attic.lan", "--days", "20")
    assert {row["role"] for row in made["certificates"]} == {"ca", "server", "client"}
    assert any("scp -p" in step for step in made["next"])
    lab.json("host", "tls", "attic", "--check", code=1)
    rotated = lab.json("host", "tls", "attic", "--rotate")
    server = next(row for row in rotated["certificates"] if row["role"] == "server")
    assert server["names"] == ["attic.lan"]
    assert server["days_left"] > 390
    assert "PRIVATE" not in json.dumps([made, rotated])
    assert lab.json("host", "tls", "attic", "--name", "x", code=1)["error"]["code"] == "tls_exists"
    keys = list((lab.root / ".homelab" / "tls").rglob("*key.pem"))
    assert len(keys) == 3
    assert {key.stat().st_mode & 0o777 for key in keys} == {0o600}


def test_a_new_ca_is_begun_shown_and_ended_and_no_key_is_shown(lab: LabOnDisk) -> None:
    assert lab.json("host", "renew-ca", "--begin", code=1)["error"]["code"] == "tls_missing"
    lab.json("host", "tls", "attic", "--name", "attic.lan")
    assert lab.json("host", "renew-ca")["under_way"] is False
    begun = lab.json("host", "renew-ca", "--begin", code=3)
    assert [row["stage"] for row in begun["hosts"]] == ["unasked"]  # it is in no hosts.yaml
    assert any(f"copy {lab.root}/.homelab/tls/attic/server/*.pem" in step for step in begun["next"])
    assert lab.json("host", "renew-ca", "--begin", code=1)["error"]["code"] == "ca_under_way"
    assert lab.json("host", "tls", "attic", "--rotate", code=1)["error"]["code"] == "tls_renewing"
    assert lab.json("host", "renew-ca", code=3)["under_way"] is True
    ended = lab.json("host", "renew-ca", "--next")
    assert ended["under_way"] is False
    assert "PRIVATE" not in json.dumps([begun, ended])
    assert lab.json("host", "renew-ca", "--next", code=1)["error"]["code"] == "no_ca_under_way"
    keys = list((lab.root / ".homelab" / "tls").rglob("*key.pem"))
    assert len(keys) == 3
    lab.json("host", "tls", "attic", "--rotate")


def test_no_other_ca_is_made_where_its_key_is_kept_elsewhere(lab: LabOnDisk, tmp_path: Path) -> None:
    lab.json("host", "tls", "attic", "--name", "attic.lan")
    folder, away = lab.root / ".homelab/tls/ca", tmp_path / "stick.pem"
    before = (folder / "ca.pem").read_text()
    (folder / "ca-key.pem").rename(away)
    for words in (("attic", "--rotate"), ("cellar", "--name", "cellar.lan")):
        refused = lab.json("host", "tls", *words, code=1)["error"]
        assert refused["code"] == "tls_ca_missing"
        assert "--ca-key PATH" in refused["hint"]
        lab.json("host", "tls", *words, "--ca-key", str(away))
    assert lab.json("host", "renew-ca", "--begin", code=1)["error"]["code"] == "tls_ca_missing"
    assert (folder / "ca.pem").read_text() == before
    lab.json("host", "renew-ca", "--begin", "--ca-key", str(away), code=3)
    ended = lab.json("host", "renew-ca", "--next", "--ca-key", str(away))
    assert f"{away} is yours to destroy" in ended["next"][0]
    assert away.exists()
    # For good: the way out that was told, word by word.
    (folder / "ca-key.pem").unlink()
    (folder / "ca.pem").unlink()
    for name in ("attic", "cellar"):
        lab.json("host", "tls", name, "--name", f"{name}.lan", "--rotate")


def test_a_new_ca_whose_hosts_are_all_gone_has_an_end(lab: LabOnDisk) -> None:
    lab.json("host", "tls", "attic", "--name", "attic.lan")
    lab.json("host", "renew-ca", "--begin", code=3)
    shutil.rmtree(lab.root / ".homelab/tls/attic")
    assert lab.json("host", "tls", "attic", "--name", "attic.lan", code=1)["error"]["code"] == "tls_renewing"
    found = lab.json("host", "renew-ca", code=3)
    assert (found["hosts"], found["next"][1]) == ([], "Now: homelab-mcp host renew-ca --next")
    assert lab.json("host", "renew-ca", "--next")["under_way"] is False
    lab.json("host", "tls", "attic", "--name", "attic.lan")


def test_a_standby_is_refused_where_it_could_not_help(lab: LabOnDisk, tmp_path: Path) -> None:
    both = lab.json("host", "standby", "attic", "--activate", "--deactivate", code=1)
    assert both["error"]["code"] == "bad_options"
    assert lab.json("host", "standby", "attic", code=1)["error"]["code"] == "host_unknown"
    assert lab.json("host", "standby", "local", code=1)["error"]["code"] == "standby_refused"
    lab.json("host", "add", "attic", f"unix://{tmp_path}/none.sock", "--unreached", "--yes")
    assert "is lost with it" in lab.json("host", "standby", "attic", code=1)["error"]["message"]
    lab.json("host", "add", "shed", "ssh://root@127.0.0.1:9", "--unreached", "--yes")
    assert lab.json("host", "standby", "shed", code=1)["error"]["code"] == "plan_needs_docker"


def test_a_drill_says_what_it_cannot_do_and_watches_without_changing_anything(lab: LabOnDisk) -> None:
    before = lab.files()
    assert lab.json("drill", code=1)["error"]["code"] == "not_a_node"
    assert lab.json("drill", "--watch", "1", "nobody", code=1)["error"]["code"] == "node_unknown"
    found = lab.json("drill", "--watch", "1")
    assert (found["services"], found["surprises"]) == ([], [])
    assert lab.files() == before
