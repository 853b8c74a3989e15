"""The lab's Docker hosts: how each is connected to, whether it is there, and what Compose needs to reach it."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from homelab_mcp.adapters.docker_engine import DockerEngine
from homelab_mcp.core.at_once import at_once
from homelab_mcp.core.hosts import parse_hosts
from homelab_mcp.core.project_name import folder_project, project_name
from homelab_mcp.core.stack_host import host_of, require
from homelab_mcp.model.errors import EngineUnavailable, HomelabError
from homelab_mcp.model.hosts import CaHost, DockerHost, HostLook, HostsSettings, TlsFile
from homelab_mcp.model.lab import HOSTS_FILE, LOCAL
from homelab_mcp.ports import Files

KNOCK_SECONDS = 0.7
"""For a first sign of life: a machine of the same network answers in some milliseconds or not at all."""

SILENCE_SECONDS = 3.0
"""For so long a host that did not answer is not tried again, so that the parts of one question ask once."""


class HostSet:
    """Every host of one lab by name, ``local`` among them; ``hosts.yaml`` is read afresh at each use.

    Args:
        root: the lab's folder.
        files: its files.
        local: this machine's engine.
    """

    def __init__(self, root: str, files: Files, local: DockerEngine) -> None:
        self._root = Path(root)
        self._files = files
        self._local = local
        self._parsed: tuple[str | None, HostsSettings] = (None, HostsSettings())
        self._engines: dict[tuple[str, str, float], DockerEngine] = {}
        self._silent: dict[str, tuple[float, EngineUnavailable]] = {}
        self._ssh_ends: dict[str, tuple[str, int] | None] = {}
        self._homes: dict[str, str] = {}

    @property
    def settings(self) -> HostsSettings:
        """What ``hosts.yaml`` says. Raises InvalidInput (``bad_hosts``)."""
        text = self._files.read(HOSTS_FILE)
        if text != self._parsed[0]:
            self._parsed = (text, parse_hosts(text))
        return self._parsed[1]

    @property
    def names(self) -> tuple[str, ...]:
        """``local`` first."""
        return (LOCAL, *self.settings.hosts)

    def engine(self, name: str) -> DockerEngine:
        """The engine of that host; nothing is connected yet. Raises NotFound (``host_unknown``)."""
        if name == LOCAL:
            return self._local
        require(name, self.settings.hosts)
        return self._engine(self.settings.hosts[name])

    def _engine(self, host: DockerHost) -> DockerEngine:
        key = (host.address, host.certificates, host.timeout)
        if key not in self._engines:
            folder = str(self.certificates(host)) if host.certificates else ""
            self._engines[key] = DockerEngine(host.address, read_seconds=host.timeout, certificates=folder)
        return self._engines[key]

    def environments(self) -> Mapping[str, tuple[tuple[str, str], ...]]:
        """As ``DockerEngine.environments``, of every host that was asked for something."""
        found: dict[str, tuple[tuple[str, str], ...]] = {}
        for engine in (self._local, *self._engines.values()):
            # In one step: another thread may be adding to it.
            found |= engine.environments()
        return found

    def certificates(self, host: DockerHost) -> Path:
        """The folder of its ca.pem, cert.pem and key.pem."""
        return self._root / Path(host.certificates).expanduser()

    def patience(self, name: str) -> float:
        """Seconds that a look at it may take."""
        return self.settings.hosts[name].timeout if name != LOCAL else 10.0

    def environment(self, name: str) -> dict[str, str]:
        """What the ``docker`` command needs in its environment to reach that host; nothing for this machine."""
        if name == LOCAL:
            return {}
        require(name, self.settings.hosts)
        host = self.settings.hosts[name]
        if host.kind != "tcp":
            return {"DOCKER_HOST": host.address}
        folder = str(self.certificates(host))
        return {"DOCKER_HOST": host.address, "DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": folder}

    def reach(self, name: str) -> dict[str, str]:
        """As ``environment``, of a host that gave a sign of life."""
        self.knock(name)
        return self.environment(name)

    def home(self, project: str) -> str:
        """The host of a stack, by its folder or its project's name; ``local`` for what is no stack of this lab.

        A stack whose files went away meanwhile is where it was last seen.
        """
        found: dict[str, str] = {}
        for folder, path in self._files.stack_folders():
            try:
                text = self._files.read(path) or ""
            except HomelabError:
                continue
            found[project_name(folder, text)] = found[folder_project(folder)] = host_of(text)
        self._homes |= found
        return found.get(project) or self._homes.get(project, LOCAL)

    def homes(self) -> Mapping[str, str]:
        """Project -> host, of every stack that was ever seen by this process."""
        self.home("")
        return self._homes

    def knock(self, name: str) -> None:
        """Find out within a second whether somebody is there. Raises EngineUnavailable, NotFound."""
        if name == LOCAL:
            return
        when, error = self._silent.get(name, (0.0, None))
        if error is not None and time.monotonic() - when < SILENCE_SECONDS:
            raise error
        require(name, self.settings.hosts)
        self.knock_at(name, self.settings.hosts[name])
        self._silent.pop(name, None)

    def knock_at(self, name: str, host: DockerHost) -> None:
        """As ``knock``, at a host that may be in no file yet."""
        end = self._end(host)
        if end is None:
            return
        try:
            socket.create_connection(end, KNOCK_SECONDS).close()
        except OSError as error:
            why = error.strerror or "no answer" if not isinstance(error, TimeoutError) else "no answer"
            raise self.silent(name, f"{end[0]} port {end[1]}: {why}") from error

    def silent(self, name: str, why: str) -> EngineUnavailable:
        """The error for a host that does not answer, which is remembered for a moment."""
        error = EngineUnavailable(
            f"Host {name} does not answer ({why}).",
            hint=f"Look at that machine and the network between, then `homelab-mcp host check {name}`.",
            code="host_silent",
            details={"host": name},
        )
        self._silent[name] = (time.monotonic(), error)
        return error

    def _end(self, host: DockerHost) -> tuple[str, int] | None:
        """Where a connection would go to; None where that cannot be told (a proxy of ssh's, a local socket)."""
        parts = urlsplit(host.address)
        if host.kind == "tcp":
            return parts.hostname or "", parts.port or 2376
        if host.kind != "ssh":
            return None
        if host.address not in self._ssh_ends:
            self._ssh_ends[host.address] = _ssh_end(host.address)
        return self._ssh_ends[host.address]

    def look(self, name: str, host: DockerHost | None = None) -> HostLook:
        """What the host says of itself now, or why it does not; raises only NotFound."""
        if host is None and name != LOCAL:
            require(name, self.settings.hosts)
            host = self.settings.hosts[name]
        engine = self._engine(host) if host else self._local
        days = None
        if host is not None and host.certificates:
            from homelab_mcp.adapters.docker_tls import days_left

            days = days_left(self.certificates(host) / "cert.pem")
        begun = time.monotonic()
        try:
            if host is not None:
                self.knock_at(name, host)
            info = engine.info()
        except HomelabError as error:
            return HostLook(name, engine.address, error.message, error.hint, days_left=days)
        return HostLook(
            name,
            engine.address,
            version=info.version,
            cpus=info.cpus,
            memory=info.memory,
            running=info.containers_running,
            milliseconds=round((time.monotonic() - begun) * 1000),
            days_left=days,
        )

    def contexts(self) -> tuple[Mapping[str, DockerHost], Mapping[str, str]]:
        """As the port's."""
        from homelab_mcp.adapters.docker_contexts import contexts

        return contexts()

    def tls(self, name: str) -> tuple[TlsFile, ...]:
        """As the port's."""
        from homelab_mcp.adapters.docker_tls import DockerTls

        return DockerTls(self._root).look(name)

    def make_tls(
        self, name: str, names: Sequence[str], days: int, *, again: bool = False, ca_key: str = ""
    ) -> tuple[TlsFile, ...]:
        """As the port's."""
        from homelab_mcp.adapters.docker_tls import DockerTls

        return DockerTls(self._root).make(name, names, days, again=again, ca_key=_path(ca_key))

    def ca_look(self, ca_key: str = "") -> tuple[CaHost, ...] | None:
        """As the port's."""
        from homelab_mcp.adapters.docker_ca import DockerCa

        return DockerCa(self._root, _path(ca_key)).look(self._tcp())

    def ca_step(self, days: int, ca_key: str = "") -> tuple[CaHost, ...] | None:
        """As the port's."""
        from homelab_mcp.adapters.docker_ca import DockerCa

        return DockerCa(self._root, _path(ca_key)).step(self._tcp(), days)

    def _tcp(self) -> dict[Path, DockerHost]:
        """Folder of a client's certificates -> the host that they are for."""
        return {self.certificates(h).resolve(): h for h in self.settings.hosts.values() if h.kind == "tcp"}

    def looks(self, names: tuple[str, ...] = ()) -> tuple[HostLook, ...]:
        """``look`` at these hosts, or all, at once."""
        wanted = names or self.names
        for name in wanted:
            require(name, self.settings.hosts)
        calls = {name: (lambda n=name: self.look(n)) for name in wanted}
        found = at_once(calls, max(self.patience(n) for n in wanted) + 2 * KNOCK_SECONDS)
        return tuple(
            one if isinstance(one := found[name], HostLook) else HostLook(name, "", str(one)) for name in wanted
        )


def _path(given: str) -> Path | None:
    return Path(given).expanduser() if given else None


def _ssh_end(address: str) -> tuple[str, int] | None:
    """Where ssh would connect to, by its own configuration (``ssh -G``)."""
    from homelab_mcp.adapters.ssh_transport import destination

    try:
        done = subprocess.run(
            ["ssh", "-G", *destination(address)], stdin=subprocess.DEVNULL, capture_output=True, timeout=5, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    said = dict(line.partition(" ")[::2] for line in done.stdout.decode("utf-8", "replace").splitlines())
    through = {said.get("proxyjump", "none"), said.get("proxycommand", "none")}
    if done.returncode or through != {"none"} or not said.get("port", "").isdigit():
        return None
    return said.get("hostname", ""), int(said["port"])
