"""The listing of docs/backups.md on other hosts, typed as it stands there: a backup there, and a restore.

Real here: the command, both engines, Compose, restic. Stand-in: the service's program.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from testbed import LocalImage, Scratch
from testbed.definitions import definition
from testbed.storage import ensure_backup
from tests.doc_play import played
from tests.docker.doc_rig import APPROVE, new_lab, shell_of
from tests.docker.host_rig import OtherMachine

pytestmark = [pytest.mark.timeout(400), pytest.mark.nightly]


@pytest.fixture
def maker(docker_engine: str) -> str:
    return ensure_backup(definition("backrest").container.image.reference).reference


@pytest.fixture
def root(tmp_path: Path, testbed_run: Scratch) -> Path:
    return new_lab(tmp_path / "stacks", **{f"{k}_network": testbed_run.network(k) for k in ("route", "internal")})


@pytest.fixture
def nas(root: Path, maker: str, stand_in: Callable[..., LocalImage], testbed_run: Scratch) -> Iterator[OtherMachine]:
    page = stand_in(f"homelab-testbed/wiki-{testbed_run.run_id}:1", service="wiki", ports=[80]).reference
    (root / "apps").mkdir()
    (root / "apps/compose.yaml").write_text(
        f"x-homelab: {{host: nas}}\nservices:\n  wiki:\n    image: {page}\n    volumes: ['./wiki/data:/data']\n"
        "    restart: unless-stopped\n    stop_grace_period: 2s\n    init: true\n"
    )
    with OtherMachine(96, hides=root) as machine:
        (root / "hosts.yaml").write_text(f"hosts:\n  nas: {{address: '{machine.socket}'}}\n")
        machine.load(maker, page)
        yield machine


def test_a_stack_of_another_host_is_backed_up_there_and_restored(nas: OtherMachine, root: Path, maker: str) -> None:
    shell = shell_of(root, {"/mnt/disk": str(root.parent / "disk")})

    def there(command: str) -> str:
        """What a shell says that sees the service's data on that host."""
        argv = ["docker", "-H", nas.socket, "run", "--rm", "--network", "none", "--entrypoint", "/bin/sh"]
        argv += ["-v", f"{root}/apps/wiki/data:/place", maker, "-c", command]
        return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=True).stdout.strip()

    there("echo then >/place/notes.txt")
    assert (
        shell.type("DOCKER_HOST=" + nas.socket + " docker compose --project-directory " + f"{root}/apps up -d").code
        == 0
    )
    with played("docs/backups.md", __file__) as play:
        (made,) = play.type(shell, play.beginning("backup configure --host nas"), replies=APPROVE)
        assert "backup-nas" in nas.running(), made
        play.type(shell, play.beginning("backup run"))
        (told,) = play.type(shell, play.beginning("backups"))
        assert "Backups (1)" in told.said, told
        there("echo now >/place/notes.txt")
        play.type(shell, play.beginning("restore wiki"), replies=APPROVE)
        assert there("cat /place/notes.txt") == "then"
