"""A WireGuard link between this machine and another one: the real protocol, by its makers' program in user space."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Self

from testbed import TestbedError
from tests.docker.host_rig import OtherMachine

NEEDED = {"wireguard-go": "wireguard-go", "wg": "wireguard-tools"}
PORT = 51_871


class WireGuardLink:
    """The other machine is ``there`` and this one ``here``, in a network that no cable has in the clear.

    Raises TestbedError where a program or the kernel's TUN device is missing.
    """

    def __init__(self, machine: OtherMachine, number: int) -> None:
        if missing := sorted({package for program, package in NEEDED.items() if shutil.which(program) is None}):
            raise TestbedError(f"apt-get install --no-install-recommends {' '.join(missing)}")
        if not Path("/dev/net/tun").exists():
            raise TestbedError("/dev/net/tun is missing: mknod /dev/net/tun c 10 200 (as root), or modprobe tun")
        self.machine = machine
        self.here, self.there = f"10.217.{number}.1", f"10.217.{number}.2"
        self._near = machine.address.rpartition(".")[0] + ".1"
        self._names = (f"{machine.name}w", f"{machine.name}v")
        self._children: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        keys = [_run("wg", "genkey").strip() for _ in range(2)]
        public = [_run("wg", "pubkey", given=key).strip() for key in keys]
        sides: tuple[tuple[list[str], str, str, str, str, str, str], ...] = (
            ([], self._names[0], self.here, keys[0], public[1], self.there, self.machine.address),
            (self._inside, self._names[1], self.there, keys[1], public[0], self.here, self._near),
        )
        try:
            for within, name, address, key, peer, peers, at in sides:
                self._children.append(_start([*within, "wireguard-go", "-f", name]))
                self._until_there(within, name)
                with tempfile.NamedTemporaryFile("w") as file:
                    file.write(key)
                    file.flush()
                    _run(*within, "wg", "set", name, "private-key", file.name, "listen-port", str(PORT))
                _run(*within, "wg", "set", name, "peer", peer, "allowed-ips", f"{peers}/32", "endpoint", f"{at}:{PORT}")
                _run(*within, "ip", "addr", "add", f"{address}/24", "dev", name)
                _run(*within, "ip", "link", "set", name, "up")
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def _inside(self) -> list[str]:
        return ["nsenter", f"--net=/var/run/netns/{self.machine.name}"]

    def received(self) -> int:
        """Bytes that came from the other machine through the link."""
        rows = _run("wg", "show", self._names[0], "transfer").split()
        return int(rows[1])

    def close(self) -> None:
        """End both ends; their interfaces go with them."""
        for child in self._children:
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGTERM)
                child.wait(20)
        self._children.clear()

    def _until_there(self, within: list[str], name: str) -> None:
        until = time.monotonic() + 15
        while subprocess.run([*within, "wg", "show", name], capture_output=True, check=False).returncode:
            if time.monotonic() > until or self._children[-1].poll() is not None:
                raise TestbedError(f"wireguard-go did not begin: {name}")
            time.sleep(0.05)


def _start(words: list[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)


def _run(*words: str, given: str = "") -> str:
    done = subprocess.run(words, input=given, capture_output=True, text=True, check=False)
    if done.returncode:
        raise TestbedError(f"{' '.join(words[:4])}: {done.stderr.strip()[-500:]}")
    return done.stdout
