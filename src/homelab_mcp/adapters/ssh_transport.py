"""The Docker API over the OpenSSH client, as the ``docker`` command does it: ``ssh HOST docker system dial-stdio``.

docker-py has such a transport as well, but wants paramiko, and reads from a pipe that no timeout ends.
Host keys, users and keys are the client's own business (``~/.ssh/config``, the agent); nothing is ever asked for.
Source of the options: ssh_config(5).
"""

from __future__ import annotations

import socket
import subprocess
import tempfile
from typing import Any
from urllib.parse import urlsplit

from docker.api import APIClient
from docker.transport.basehttpadapter import BaseHTTPAdapter
from urllib3.connection import HTTPConnection
from urllib3.connectionpool import HTTPConnectionPool

from homelab_mcp.adapters.docker_connection import ANY_VERSION
from homelab_mcp.adapters.docker_errors import SshFailed

CONNECT_SECONDS = 5
_BASE = "http://docker.over.ssh:80"
_SAID = 2_000
_PATIENCE = 2.0


def destination(address: str) -> list[str]:
    """The arguments that tell ssh where to: ``[-l user] [-p port] -- host``."""
    parts = urlsplit(address)
    user = ["-l", parts.username] if parts.username else []
    port = ["-p", str(parts.port)] if parts.port else []
    return [*user, *port, "--", parts.hostname or ""]


class _Connection(HTTPConnection):
    """One connection: an ssh process whose ends are one socket, so that timeouts hold."""

    def __init__(self, address: str, timeout: float) -> None:
        super().__init__("docker.over.ssh", timeout=timeout)
        self._address = address
        self._child: subprocess.Popen[bytes] | None = None
        self._said: Any = None
        self._asking = False
        self._last_words = ""

    def connect(self) -> None:
        mine, theirs = socket.socketpair()
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the connection
        options = {
            "BatchMode": "yes",
            "ConnectTimeout": str(CONNECT_SECONDS),
            "ServerAliveInterval": "5",
            "ServerAliveCountMax": "2",
        }
        words = [w for name, value in options.items() for w in ("-o", f"{name}={value}")]
        with theirs:
            try:
                self._child = subprocess.Popen(
                    ["ssh", "-T", *words, *destination(self._address), "docker", "system", "dial-stdio"],
                    stdin=theirs.fileno(),
                    stdout=theirs.fileno(),
                    stderr=self._said,
                    start_new_session=True,
                )
            except FileNotFoundError as error:
                mine.close()
                raise SshFailed("there is no ssh command on this machine") from error
        mine.settimeout(self.timeout if isinstance(self.timeout, (int, float)) else None)
        self.sock = mine

    def getresponse(self, *args: Any, **kwargs: Any) -> Any:
        self._asking = True
        try:
            return super().getresponse(*args, **kwargs)
        except TimeoutError:
            raise
        except OSError as error:
            # The other end is closed: ssh has ended, and said why.
            raise SshFailed(self._last_words or self._reason()) from error
        finally:
            self._asking = False

    def _reason(self) -> str:
        if self._child is None or self._said is None:
            return "ssh did not start"
        try:
            self._child.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            return "ssh closed the connection"
        self._said.seek(0)
        said = self._said.read(_SAID).decode("utf-8", "replace")
        lines = [line.strip() for line in said.splitlines() if line.strip() and not line.startswith("Warning:")]
        return lines[-1] if lines else f"ssh ended with {self._child.returncode}"

    def close(self) -> None:
        if self._asking and self._child is not None:
            # http.client closes before it raises.
            self._last_words = self._reason()
        super().close()
        if self._child is not None:
            self._child.terminate()
            try:
                self._child.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                self._child.kill()
                self._child.wait()
            self._child = None
        if self._said is not None:
            self._said.close()
            self._said = None


class _Pool(HTTPConnectionPool):
    def __init__(self, address: str, timeout: float) -> None:
        super().__init__("docker.over.ssh", timeout=timeout, maxsize=10, retries=0)
        self._address = address
        self._seconds = timeout

    def _new_conn(self) -> _Connection:
        return _Connection(self._address, self._seconds)


class _Adapter(BaseHTTPAdapter):
    def __init__(self, address: str, timeout: float) -> None:
        super().__init__()
        self._pool = _Pool(address, timeout)

    def get_connection_with_tls_context(self, *_: Any, **__: Any) -> _Pool:
        return self._pool

    def get_connection(self, *_: Any, **__: Any) -> _Pool:
        return self._pool

    def request_url(self, request: Any, proxies: Any) -> str:
        # The path alone: neither a proxy of the environment nor the made-up host has a say in it.
        del proxies
        return str(request.path_url)

    def close(self) -> None:
        self._pool.close()
        super().close()


def ssh_client(address: str, seconds: float) -> APIClient:
    """A client for ``ssh://[user@]host[:port]``; ``seconds`` is what one answer may take. Connects at once."""
    adapter = _Adapter(address, seconds)

    def client(version: str) -> APIClient:
        made = APIClient(base_url=_BASE, version=version, timeout=seconds)  # type: ignore[arg-type]
        made.mount(_BASE, adapter)
        made.trust_env = False
        return made

    # docker-py's own "auto" asks before anything is mounted.
    said = client(ANY_VERSION).version(api_version=False)
    return client(str(said["ApiVersion"]))
