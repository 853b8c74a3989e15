"""A whole log is asked for in HTTP/1.0, and one that the engine did not end is told. The engine is make-believe."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from homelab_mcp.adapters.docker_engine import DockerEngine
from homelab_mcp.adapters.docker_meter import DockerMeter
from homelab_mcp.model.errors import EngineUnavailable

VERSION = b'{"ApiVersion": "1.41"}'
INSPECTED = b'{"Id": "c1", "Name": "/web", "State": {"Status": "running"}, "Config": {"Env": []}}'
LINES = b"".join(
    b"\x01\0\0\0" + len(line).to_bytes(4, "big") + line
    for line in (b"2026-01-31T12:00:00.00000000%dZ line %d needle\n" % (n, n) for n in range(3))
)


class Socket:
    """Answers three questions, one a connection, and keeps what was asked."""

    def __init__(self, place: Path, *, dies: bool) -> None:
        self.place, self.dies = place, dies
        self.asked: list[str] = []
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(place))
        self._listening.listen(8)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                peer, _ = self._listening.accept()
            except OSError:
                return
            with peer:
                asked = peer.recv(65_536).decode()
                if not asked:
                    continue
                line = asked.partition("\r\n")[0]
                self.asked.append(line)
                if "/logs" in line and self.dies:
                    self.place.unlink()
                body = VERSION if "/version" in line else LINES if "/logs" in line else INSPECTED
                length = b"" if "/logs" in line else b"Content-Length: %d\r\n" % len(body)
                peer.sendall(b"HTTP/1.0 200 OK\r\nConnection: close\r\n" + length + b"\r\n" + body)

    def close(self) -> None:
        # A thread that waits in accept is woken by this, and not by close alone.
        self._listening.shutdown(socket.SHUT_RDWR)
        self._thread.join(5)
        self._listening.close()


@contextmanager
def engine(folder: Path, *, dies: bool = False) -> Iterator[tuple[DockerMeter, Socket]]:
    served = Socket(folder / "docker.sock", dies=dies)
    try:
        yield DockerMeter(DockerEngine(f"unix://{served.place}")), served
    finally:
        served.close()


def test_a_log_is_searched_without_chunks_and_all_else_is_asked_as_ever(tmp_path: Path) -> None:
    with engine(tmp_path) as (meter, served):
        (found,) = meter.search("c1", "needle", fold=False, since=None, until=None)
        assert [text for _, _, text in found.lines] == [f"line {n} needle" for n in range(3)]
        assert [line.rpartition(" ")[2] for line in served.asked if "/logs" in line] == ["HTTP/1.0"]
        assert {line.rpartition(" ")[2] for line in served.asked if "/logs" not in line} == {"HTTP/1.1"}


def test_a_log_whose_engine_is_gone_at_its_end_is_not_taken_for_a_whole_one(tmp_path: Path) -> None:
    with engine(tmp_path, dies=True) as (meter, _), pytest.raises(EngineUnavailable):
        list(meter.search("c1", "needle", fold=False, since=None, until=None))
