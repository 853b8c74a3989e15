"""A Docker Engine of a test's own, for what no shared one may go through: being stopped and started again."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Self

from testbed import TestbedError


class PrivateEngine:
    """A ``dockerd`` with its own folder, socket, containerd and network namespace: it reaches nothing of another's.

    Its containers can be reached by nobody outside, and can pull nothing.

    Raises:
        TestbedError: not root, no ``dockerd``, or it does not come up.
    """

    def __init__(self) -> None:
        if os.getuid() != 0:
            raise TestbedError("an engine of one's own needs root; run these tests as root")
        for program in ("dockerd", "unshare"):
            if shutil.which(program) is None:
                raise TestbedError(f"{program} is not on PATH (Debian: docker.io, util-linux)")
        # Short, as a socket's path must be.
        self.folder = Path(tempfile.mkdtemp(prefix="hl-engine-"))
        (self.folder / "config.json").write_text("{}")
        self.address = f"unix://{self.folder}/d.sock"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        """Start it and wait until it answers."""
        place = self.folder
        with (place / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    # With --bridge=none it removes docker0, wherever that comes from: here there is none but its own.
                    "unshare",
                    "--net",
                    "dockerd",
                    f"--config-file={place}/config.json",
                    f"--data-root={place}/data",
                    f"--exec-root={place}/exec",
                    f"--pidfile={place}/pid",
                    f"--host={self.address}",
                    "--iptables=false",
                    "--ip6tables=false",
                    "--ip-masq=false",
                    "--bridge=none",
                    "--default-address-pool=base=10.213.0.0/16,size=24",
                ],
                stdout=log,
                stderr=log,
            )
        until = time.monotonic() + 60
        while subprocess.run(["docker", "-H", self.address, "version"], capture_output=True, check=False).returncode:
            if time.monotonic() > until or self._process.poll() is not None:
                said = (place / "log").read_text(errors="replace")[-1500:]
                self.close()
                raise TestbedError(f"the private engine does not come up: {said}")
            time.sleep(0.1)

    def stop(self) -> None:
        """Stop it as a service manager does: its containers end, and those that should start with it again."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(timeout=60)
            self._process = None

    def close(self) -> None:
        """Remove all that was made on it, stop it, and take its folder away."""
        if self._process is not None and self._process.poll() is None:
            command = ["docker", "-H", self.address]
            for listing, removal in (
                (["ps", "-aq"], ["rm", "-fv"]),
                (["network", "ls", "-q", "--filter", "type=custom"], ["network", "rm"]),
            ):
                found = subprocess.run([*command, *listing], capture_output=True, text=True, check=False)
                if ids := found.stdout.split():
                    subprocess.run([*command, *removal, *ids], capture_output=True, check=False)
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
