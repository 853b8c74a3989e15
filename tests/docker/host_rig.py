"""More machines on this one: each a network namespace on a cable of its own, with a Docker Engine and perhaps sshd."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, Self

from testbed import TestbedError

NEEDED = {
    "dockerd": "docker.io",
    "ip": "iproute2",
    "nsenter": "util-linux",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "dropbear": "dropbear-bin",
    "dropbearkey": "dropbear-bin",
}


class OtherMachine:
    """A Docker host at ``address``, reached over a veth pair that can be pulled.

    Its processes have their own network, and their own /run and /root in memory. Its containers pull nothing.

    Args:
        number: 1 to 200, for the addresses ``10.214.number.0/24``.
        tls: folder with the server's ca.pem, cert.pem and key.pem; then Docker listens on TCP port 2376.
        hides: a folder of the machine under test that this one does not see: its own is in memory, and empty.

    Raises:
        TestbedError: not root, or a program is missing.
    """

    def __init__(self, number: int, *, tls: Path | None = None, hides: Path | None = None) -> None:
        if os.getuid() != 0:
            raise TestbedError("a machine of one's own needs root; run these tests as root")
        if missing := {package for program, package in NEEDED.items() if shutil.which(program) is None}:
            raise TestbedError(f"apt-get install --no-install-recommends {' '.join(sorted(missing))}")
        self.name = f"hl{os.getpid() % 10_000}x{number}"
        self.address = f"10.214.{number}.2"
        self._near = f"10.214.{number}.1"
        # Short, as a socket's path must be.
        self.folder = Path(tempfile.mkdtemp(prefix="hl-host-"))
        self.socket = f"unix://{self.folder}/d.sock"
        # By a test's own doing it may name this machine later.
        self._own = ["-H", named] if (named := os.environ.get("DOCKER_HOST")) else ["-H", "unix:///var/run/docker.sock"]
        self._tls = tls
        self._hides = hides
        self._children: list[subprocess.Popen[bytes]] = []
        self.daemon_json: dict[str, Any] = {}
        """What its administrator wrote into /etc/docker/daemon.json; it counts from the next start."""

    def __enter__(self) -> Self:
        try:
            self._cable()
            self._engine()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def connect(self, other: OtherMachine) -> tuple[str, str]:
        """A cable straight to another machine; the addresses of both ends of it, this one's first."""
        mine, theirs = f"{self.name}c", f"{other.name}c"
        _run("ip", "link", "add", mine, "netns", self.name, "type", "veth", "peer", "name", theirs, "netns", other.name)
        ends = ("10.216.0.1", "10.216.0.2")
        for machine, end, address in ((self, mine, ends[0]), (other, theirs, ends[1])):
            _run("ip", "-n", machine.name, "addr", "add", f"{address}/24", "dev", end)
            _run("ip", "-n", machine.name, "link", "set", end, "up")
        return ends

    def cut(self, other: OtherMachine) -> None:
        """Nothing gets through the cable between the two any more."""
        _run("ip", "-n", self.name, "link", "set", f"{self.name}c", "down")

    def mend(self, other: OtherMachine) -> None:
        """As before."""
        _run("ip", "-n", self.name, "link", "set", f"{self.name}c", "up")

    def docker(self, *words: str) -> str:
        """What its ``docker`` says."""
        return _run("docker", "-H", self.socket, *words)

    def inside(self, *words: str) -> str:
        """What a program says that runs in its network."""
        return _run("nsenter", f"--net=/var/run/netns/{self.name}", *words)

    def pull_the_cable(self) -> None:
        """Nothing gets through any more, and nobody is told."""
        _run("ip", "-n", self.name, "link", "set", f"{self.name}b", "down")

    def put_the_cable_back(self) -> None:
        """As before."""
        _run("ip", "-n", self.name, "link", "set", f"{self.name}b", "up")

    def sshd(self, called: str = "") -> Path:
        """Start an SSH server that knows one new key, and is found by the name ``called`` too.

        Returns a folder of programs, ``ssh`` and ``scp``, that know it.
        """
        folder = self.folder / "ssh"
        folder.mkdir(mode=0o700)
        _run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / "id"))
        _run("dropbearkey", "-t", "ed25519", "-f", str(folder / "host"))
        said = _run("dropbearkey", "-y", "-f", str(folder / "host"))
        public = next(line for line in said.splitlines() if line.startswith("ssh-"))
        (folder / "known").write_text(f"{self.address} {' '.join(public.split()[:2])}\n")
        named = f"Host {called}\n  HostName {self.address}\n  HostKeyAlias {self.address}\n" if called else ""
        (folder / "config").write_text(
            f"{named}Host *\n  IdentityFile {folder}/id\n  IdentitiesOnly yes\n  StrictHostKeyChecking yes\n"
            f"  UserKnownHostsFile {folder}/known\n"
        )
        inside = ["nsenter", f"--target={self._children[0].pid}", "--net", "--mount"]
        keys = "mkdir -m 700 -p /root/.ssh && cat > /root/.ssh/authorized_keys && chmod 600 /root/.ssh/authorized_keys"
        subprocess.run([*inside, "sh", "-c", keys], input=(folder / "id.pub").read_bytes(), check=True)
        self._start([*inside, "dropbear", "-F", "-E", "-s", "-r", str(folder / "host"), "-p", f"{self.address}:22"])
        # OpenSSH reads its configuration from the account's real home alone: this one is named by a program before it.
        bin_folder = self.folder / "bin"
        bin_folder.mkdir()
        for program in ("ssh", "scp"):
            wrapper = bin_folder / program
            wrapper.write_text(f'#!/bin/sh\nexec {shutil.which(program)} -F {folder}/config "$@"\n')
            wrapper.chmod(0o755)
        return bin_folder

    def load(self, *images: str) -> None:
        """Bring images over from the engine of this machine."""
        saved = subprocess.run(["docker", *self._own, "save", *images], capture_output=True, check=True).stdout
        subprocess.run(["docker", "-H", self.socket, "load", "-q"], input=saved, capture_output=True, check=True)

    def running(self) -> set[str]:
        """Names of the containers that run there."""
        return set(_run("docker", "-H", self.socket, "ps", "--format", "{{.Names}}").split())

    def networks(self) -> set[str]:
        """Names of its networks."""
        return set(_run("docker", "-H", self.socket, "network", "ls", "--format", "{{.Name}}").split())

    def published(self, container: str) -> set[tuple[str, str]]:
        """(address of the host, port of the container) of each port that it publishes."""
        said = _run("docker", "-H", self.socket, "inspect", "--format", "{{json .NetworkSettings.Ports}}", container)
        ports = json.loads(said)
        return {(b["HostIp"], port.partition("/")[0]) for port, bound in ports.items() for b in bound or ()}

    def lose_power(self) -> None:
        """Its engine is gone at once, with no word to anybody."""
        os.killpg(self._children[0].pid, signal.SIGKILL)
        self._children.pop(0).wait()
        # Its containerd dies with it; where nobody buries that process, its number would pass for a living one.
        (self.folder / "exec" / "containerd" / "containerd.pid").unlink(missing_ok=True)

    def come_back(self) -> None:
        """Its engine starts again, with what was on its disk."""
        self._engine()
        self._children.insert(0, self._children.pop())

    def close(self) -> None:
        """Remove all that was made."""
        if self._children and self._children[0].poll() is None:
            ids = _run("docker", "-H", self.socket, "ps", "-aq", check=False).split()
            if ids:
                _run("docker", "-H", self.socket, "rm", "-fv", *ids, check=False)
        for child in reversed(self._children):
            child.terminate()
            try:
                child.wait(timeout=30)
            except subprocess.TimeoutExpired:
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()
        _run("ip", "link", "del", self.name, check=False)
        _run("ip", "netns", "del", self.name, check=False)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _cable(self) -> None:
        far = f"{self.name}b"
        _run("ip", "netns", "add", self.name)
        _run("ip", "link", "add", self.name, "type", "veth", "peer", "name", far, "netns", self.name)
        _run("ip", "addr", "add", f"{self._near}/24", "dev", self.name)
        _run("ip", "link", "set", self.name, "up")
        for words in (("link", "set", "lo", "up"), ("addr", "add", f"{self.address}/24", "dev", far)):
            _run("ip", "-n", self.name, *words)
        _run("ip", "-n", self.name, "link", "set", far, "up")

    def _engine(self) -> None:
        place = self.folder
        # What somebody finds who comes in over SSH is in /run, which is this machine's own.
        hosts = [self.socket, "unix:///var/run/docker.sock", *self.daemon_json.get("hosts", ())]
        if self._tls:
            hosts.append(f"tcp://{self.address}:2376")
        (place / "config.json").write_text(json.dumps({**self.daemon_json, "hosts": list(dict.fromkeys(hosts))}))
        options = [
            f"--config-file={place}/config.json",
            f"--data-root={place}/data",
            f"--exec-root={place}/exec",
            f"--pidfile={place}/pid",
            "--iptables=false",
            "--ip6tables=false",
            "--ip-masq=false",
            "--bridge=none",
            "--default-address-pool=base=10.215.0.0/16,size=24",
        ]
        if self._tls:
            options += ["--tlsverify", f"--tlscacert={self._tls}/ca.pem"]
            options += [f"--tlscert={self._tls}/cert.pem", f"--tlskey={self._tls}/key.pem"]
        script = (
            f"hostname {self.name} && mount --make-rprivate / && mount -t tmpfs tmpfs /run && "
            "mount -t tmpfs -o mode=700 tmpfs /root && "
            + (f"mount -t tmpfs tmpfs '{self._hides}' && " if self._hides else "")
            + 'exec dockerd "$@"'
        )
        inside = [
            "nsenter",
            f"--net=/var/run/netns/{self.name}",
            "unshare",
            "--mount",
            "--uts",
            "sh",
            "-c",
            script,
            "dockerd",
        ]
        child = self._start([*inside, *options])
        until = time.monotonic() + 60
        while subprocess.run(["docker", "-H", self.socket, "version"], capture_output=True, check=False).returncode:
            if time.monotonic() > until or child.poll() is not None:
                said = (place / "log").read_text(errors="replace")[-1500:]
                raise TestbedError(f"the engine does not come up: {said}")
            time.sleep(0.1)

    def _start(self, words: list[str]) -> subprocess.Popen[bytes]:
        with (self.folder / "log").open("ab") as log:
            child = subprocess.Popen(words, stdout=log, stderr=log, start_new_session=True)
        self._children.append(child)
        return child


def _run(*words: str, check: bool = True) -> str:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if check and done.returncode:
        raise TestbedError(f"{' '.join(words[:4])}: {done.stderr.strip()[-500:]}")
    return done.stdout
