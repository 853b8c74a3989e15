"""Storage that backups go to: real servers on the backup's own network, each with the keys that a person is given."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from testbed import Container, Scratch
from testbed.storage import KEEPER, ensure_storage, rclone_binary
from tests.docker.zoo_rig import Authority

PERSON = (1234, 1235)
"""Whoever puts keys into the lab's folder; seldom root."""
SECRET = "Kq+7/canary/S3cret=Of-The-Store"
ACCESS = "CANARYACCESSKEY"
WEBDAV = "canary-of-the-webdav-4711"
HOST = "nas"


@dataclass
class Storage:
    """One kind of storage.

    Args:
        kind: sftp, s3 or rclone.
        repository: what a person gives to ``backup configure``.
        container: the server; joins the backup's network later.
        keys: variables that a person is asked for.
        files: path below the backup's stack -> text, as a person puts them there.
        canaries: what must never be seen but where a person put it.
        disk: the folder of the server that holds the repository, as if it were a disk of its own.
    """

    kind: str
    repository: str
    container: Container
    keys: dict[str, str] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    canaries: tuple[str, ...] = ()
    disk: str = "/data/disk"

    def put_files(self, stack: Path, *, mode: int = 0o664) -> None:
        """As a person does: files of their own, which their group may write."""
        for name, text in self.files.items():
            path = stack / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            path.chmod(0o600 if "PRIVATE KEY" in text else mode)
            for made in (path, path.parent):
                if os.getuid() == 0:
                    os.chown(made, *PERSON)


def sftp(scratch: Scratch, folder: Path) -> Storage:
    """Dropbear on port 2222 with OpenSSH's sftp-server; the path has signs that shells and Compose give a meaning."""
    folder.mkdir()
    for name in ("id_ed25519", "other"):
        _run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(folder / name))
    # Many a NAS greets like this, and OpenSSH prints it where errors go.
    (folder / "banner").write_text("Authorised people only. Any error is yours.\n")
    said = _run("dropbearkey", "-t", "ed25519", "-f", str(folder / "host"))
    public = next(line for line in said.splitlines() if line.startswith("ssh-"))
    begin = (
        f"mkdir -p /home/keeper/.ssh /data/disk && cp /k/id_ed25519.pub /home/keeper/.ssh/authorized_keys && "
        f"chown -R {KEEPER[0]}:{KEEPER[1]} /home/keeper /data/disk && chmod -R go= /home/keeper && "
        "exec dropbear -F -E -s -r /k/host -b /k/banner -p 2222"
    )
    container = scratch.container(
        ensure_storage().reference, "sh", "-c", begin, what="sftp", volumes={str(folder): "/k:ro"}
    )
    key = (folder / "id_ed25519").read_text()
    return Storage(
        "sftp",
        f"sftp://keeper@{HOST}:2222//data/disk/it's $mine & yours",
        container,
        files={
            "ssh/id_ed25519": key,
            "ssh/known_hosts": f"[{HOST}]:2222 {' '.join(public.split()[:2])}\n",
            "ssh/config": f"Host {HOST}\n  ServerAliveInterval 15\n",
        },
        canaries=(key.splitlines()[2],),
    )


def s3(scratch: Scratch, folder: Path, *, tls: str = "") -> Storage:
    """rclone's S3 server, which judges every signature; ``tls``: its options for a certificate below ``folder``."""
    folder.mkdir(exist_ok=True)
    container = scratch.container(
        ensure_storage().reference,
        *(
            "sh",
            "-c",
            f'mkdir -p /data/disk && exec rclone serve s3 --addr :9000 {tls} --auth-key "$PAIR" /data/disk',
        ),
        what="s3",
        volumes={str(folder): "/k:ro"},
        env={"PAIR": f"{ACCESS},{SECRET}"},
    )
    keys = {"AWS_ACCESS_KEY_ID": ACCESS, "AWS_SECRET_ACCESS_KEY": SECRET}
    return Storage(
        "s3", f"s3:http{'s' if tls else ''}://{HOST}:9000/family/lab", container, keys=keys, canaries=(SECRET,)
    )


def rclone(scratch: Scratch, folder: Path) -> Storage:
    """A WebDAV server, as Nextcloud and others are one, reached by a remote of rclone whose name has a space."""
    folder.mkdir()
    container = scratch.container(
        ensure_storage().reference,
        *(
            "sh",
            "-c",
            'mkdir -p /data/disk && exec rclone serve webdav --addr :8080 --user anna --pass "$DAV" /data/disk',
        ),
        what="webdav",
        env={"DAV": WEBDAV},
    )
    hidden = _run(str(rclone_binary()), "obscure", WEBDAV).strip()
    remote = f"[my cloud]\ntype = webdav\nurl = http://{HOST}:8080\nvendor = other\nuser = anna\npass = {hidden}\n"
    return Storage(
        "rclone",
        "rclone:my cloud:family/lab's",
        container,
        files={"rclone/rclone.conf": remote},
        canaries=(WEBDAV, hidden),
    )


def own_tls(scratch: Scratch, folder: Path) -> Storage:
    """The same behind TLS, with a certificate of an authority that nobody else knows; its own is not yet put there."""
    folder.mkdir()
    authority = Authority(folder)
    authority.issue(folder / "store", [HOST], days=30)
    authority.root.rename(folder / "ca.pem")
    return s3(scratch, folder, tls="--cert /k/store.pem --key /k/store.key")


KINDS = {"sftp": sftp, "s3": s3, "rclone": rclone}


def _run(*argv: str) -> str:
    return subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60).stdout
