"""A real systemd as the first process of a machine in namespaces: this machine's files beneath, its own on top."""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Self

from testbed import TestbedError
from testbed.docker_engine import wait_until

_UNIFIED = Path("/sys/fs/cgroup/cgroup.controllers")
_NAMED = Path("/sys/fs/cgroup/systemd")
"""Where systemd keeps its groups with control groups of the old kind."""

_BOOT = """
set -e
place=$1 root=$1/root
mount --make-rprivate /
mount -t overlay overlay -o "lowerdir=/,upperdir=$place/upper,workdir=$place/work" "$root"
mount -t proc proc "$root/proc"
mount --bind "$root/proc/sys" "$root/proc/sys"
mount -o remount,ro,bind "$root/proc/sys"
mount -t sysfs -o ro sysfs "$root/sys"
# A control group of its own, which limits nothing. Never a hierarchy of its own: the kernel then names it for every
# process of this machine, and containerd, which cannot find it mounted, no longer hears of containers out of memory.
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
  mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
else
  mkdir "/sys/fs/cgroup/systemd/$2"
  echo 0 >"/sys/fs/cgroup/systemd/$2/cgroup.procs"
  mount -t tmpfs -o mode=755 tmpfs "$root/sys/fs/cgroup"
  mkdir "$root/sys/fs/cgroup/systemd"
  mount --bind /sys/fs/cgroup/systemd "$root/sys/fs/cgroup/systemd"
fi
mount -t tmpfs -o mode=755 tmpfs "$root/run"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
for device in null zero full random urandom tty; do
  touch "$root/dev/$device"
  mount --bind "/dev/$device" "$root/dev/$device"
done
ip link set lo up
exec env -i container=other PATH=/usr/sbin:/usr/bin:/sbin:/bin \\
  chroot "$root" /lib/systemd/systemd --system --unit=basic.target --log-target=console --show-status=0
"""
"""Started in namespaces of mounts, processes, network, names and (new kind) control groups.

``container`` tells systemd that devices and the kernel are another's affair: systemd.io, "Container Interface".
"""


class SystemdMachine:
    """It boots to ``basic.target``. All that it writes is gone with it; its network is loopback alone.

    Raises:
        TestbedError: not root, or no systemd or util-linux here.
    """

    def __init__(self, folder: Path) -> None:
        if os.getuid() != 0:
            raise TestbedError("a machine of one's own needs root; run these tests as root")
        if not _UNIFIED.exists() and not os.path.ismount(_NAMED):
            raise TestbedError(f"no control groups at {_NAMED} (mount -t cgroup -o none,name=systemd cgroup {_NAMED})")
        if missing := [program for program in ("systemctl", "unshare", "nsenter", "ip") if not shutil.which(program)]:
            raise TestbedError(f"not on PATH: {', '.join(missing)} (Debian: systemd, util-linux, iproute2)")
        self.folder = folder
        self._group = f"homelab-{os.getpid()}"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        for name in ("upper", "work", "root"):
            (self.folder / name).mkdir(parents=True)
        space = ["--mount", "--pid", "--net", "--uts", "--ipc", "--fork", "--kill-child"]
        # The old kind cannot be mounted in a namespace of its own.
        space += ["--cgroup"] if _UNIFIED.exists() else []
        boot = ("bash", "-c", _BOOT, "boot", str(self.folder), self._group)
        with (self.folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                ["unshare", *space, *boot], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        try:
            wait_until(self._up, "systemd", within=90, every=0.5)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            # The first process' end is all others', and the mounts' as well.
            self._process.kill()
            self._process.wait(30)
        wait_until(self._no_group, "the control group to be empty", within=30, every=0.2)

    def _no_group(self) -> bool:
        """Whether its control group is gone; what is empty of it is removed."""
        mine = _NAMED / self._group
        for folder, _, _ in os.walk(mine, topdown=False):
            with suppress(OSError):
                Path(folder).rmdir()
        return not mine.exists()

    @property
    def entered(self) -> tuple[str, ...]:
        """What runs a command there, as root: the beginning of its words."""
        assert self._process is not None
        (first,) = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        return ("nsenter", "--target", first, "--mount", "--pid", "--net", "--uts", "--ipc", "--root", "--")

    def run(self, *words: str) -> str:
        """Run a command there; what it said on both outputs."""
        done = subprocess.run(
            [*self.entered, *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )
        return done.stdout

    def _up(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise TestbedError(f"systemd ended: {(self.folder / 'log').read_text('utf-8', 'replace')[-2000:]}")
        try:
            return "active" in self.run("systemctl", "is-active", "basic.target").split()
        except ValueError:
            return False  # not begun
