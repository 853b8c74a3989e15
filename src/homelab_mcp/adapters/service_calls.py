"""HTTP to a container, at the address that its engine gives: no name is looked up, no redirect is followed.

A container's own address comes first: it needs no published port and passes no log-in of the proxy. Where the engine is
another machine's, ``ssh -W`` opens the way there from that machine (ssh(1)); an engine behind TLS leads to none, so
there only a published port is left. A published port is also the second way on this machine, for engines whose
networks the host cannot reach (Docker Desktop, rootless).
"""

from __future__ import annotations

import http.client
import re
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from homelab_mcp.adapters.service_ways import Found, Way, ways_to
from homelab_mcp.adapters.ssh_transport import CONNECT_SECONDS, destination
from homelab_mcp.model.errors import ServiceFailed
from homelab_mcp.model.service_http import HttpAnswer, HttpAsk

LARGEST = 4 * 1024 * 1024
"""Bytes of an answer that are read; a list of some thousand films is about half of it."""

DIAL_SECONDS = 3.0
_NO_WAY = re.compile(r"open failed|prohibited|Could not resolve|Permission denied|Host key|ssh: connect")
_CHUNK = 65_536
_KEPT = ("content-type", "location", "set-cookie", "retry-after")


class ContainerCalls:
    """Fulfils ``ports.ServiceCalls``.

    Args:
        find: which engine has a container.
        boxed: whether this program runs in a container; None looks.
    """

    def __init__(self, find: Found, *, boxed: bool | None = None) -> None:
        self._find = find
        self._boxed = Path("/.dockerenv").exists() if boxed is None else boxed

    @contextmanager
    def line(self, container_id: str, port: int) -> Iterator[Line]:
        """As the port's."""
        engine, host = self._find(container_id)
        raw = engine.raw(container_id)
        ways = list(ways_to(raw, port, host, engine.raw, boxed=host is None and self._boxed))
        name = str(raw.get("Name", "")).lstrip("/")
        if not ways:
            raise ServiceFailed(
                f"{name} has no address that leads to its port {port} from here.",
                hint="Reach that host by ssh:// in hosts.yaml, or publish the port there on its private address."
                if host is not None
                else "Start it, or join it to a network: `homelab-mcp status`.",
                code="service_unreached",
            )
        yield Line(name, port, ways)


class Line:
    """One container's port; each request is a connection of its own."""

    def __init__(self, name: str, port: int, ways: Sequence[Way]) -> None:
        self._name = name
        self._port = port
        self._ways = list(ways)

    @property
    def place(self) -> str:
        """Of the way that is taken."""
        return self._ways[0].place

    def ask(self, request: HttpAsk) -> HttpAnswer:
        """As the port's."""
        with self._dialled() as plain:
            return _exchange(self._name, plain, self._ways[0].place, request)

    @contextmanager
    def _dialled(self) -> Iterator[socket.socket]:
        why = ""
        while self._ways:
            way = self._ways[0]
            with _dial(way) as (plain, reason):
                if plain is not None:
                    self._ways = [way]
                    yield plain
                    return
            why = why or f"{way.place}: {reason}"
            if len(self._ways) == 1:
                break
            self._ways = self._ways[1:]
        raise ServiceFailed(
            f"{self._name} was not reached at its port {self._port} ({why}); nothing was sent.",
            hint="See whether it runs and listens there: `homelab-mcp diagnose`. Where homelab-mcp runs in a "
            "container, it has to be on a network of that service.",
            code="service_unreached",
        )


@contextmanager
def _dial(way: Way) -> Iterator[tuple[socket.socket | None, str]]:
    if way.ssh:
        with _tunnel(way) as found:
            yield found
        return
    try:
        plain = socket.create_connection((way.address, way.port), DIAL_SECONDS)
    except OSError as error:
        yield None, "no answer" if isinstance(error, TimeoutError) else (error.strerror or str(error))
        return
    with plain:
        yield plain, ""


@contextmanager
def _tunnel(way: Way) -> Iterator[tuple[socket.socket | None, str]]:
    """The two ends of ``ssh -W``. Whether the other side was reached shows with the first answer only."""
    mine, theirs = socket.socketpair()
    options = ("-o", "BatchMode=yes", "-o", f"ConnectTimeout={CONNECT_SECONDS}", "-o", "ExitOnForwardFailure=yes")
    with mine, tempfile.TemporaryFile() as said:
        with theirs:
            try:
                child = subprocess.Popen(
                    ["ssh", "-T", *options, "-W", way.place, *destination(way.ssh)],
                    stdin=theirs.fileno(),
                    stdout=theirs.fileno(),
                    stderr=said,
                    start_new_session=True,
                )
            except FileNotFoundError:
                yield None, "there is no ssh command on this machine"
                return
        try:
            yield mine, ""
        except ServiceFailed as error:
            mine.close()
            if error.code == "service_silent" and (why := _never_opened(child, said)):
                raise ServiceFailed(
                    f"{way.place} was not reached over {way.ssh} ({why}); nothing was sent.",
                    hint="Look at that machine: `homelab-mcp host check`, then at the service's container.",
                    code="service_unreached",
                ) from error
            raise
        finally:
            mine.close()
            child.terminate()
            try:
                child.wait(2.0)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


def _never_opened(child: subprocess.Popen[bytes], said: IO[bytes]) -> str:
    """Why ssh opened no way, in its own words; "" where it did, so that something may have been sent."""
    try:
        child.wait(2.0)
    except subprocess.TimeoutExpired:
        return ""
    said.seek(0)
    words = said.read(2_000).decode("utf-8", "replace")
    return next((line.strip()[:200] for line in words.splitlines() if _NO_WAY.search(line)), "")


def _exchange(name: str, plain: socket.socket, place: str, request: HttpAsk) -> HttpAnswer:
    end = time.monotonic() + request.seconds
    connection = http.client.HTTPConnection("service.invalid", timeout=request.seconds)
    connection.sock = plain
    plain.settimeout(request.seconds)
    headers = {"Host": place, "User-Agent": "homelab-mcp", "Accept": "application/json, */*;q=0.1", **request.headers}
    headers |= {"Accept-Encoding": "identity", "Connection": "close"}
    try:
        connection.request(request.method, request.target, body=request.body, headers=headers)
        answer = connection.getresponse()
        body = b""
        while len(body) <= LARGEST:
            plain.settimeout(max(end - time.monotonic(), 0.001))
            part = answer.read1(_CHUNK)
            if not part:
                if answer.length:
                    raise http.client.IncompleteRead(body, answer.length)
                break
            body += part
            if time.monotonic() >= end:
                raise TimeoutError
        kept = {key: value for key in _KEPT if (value := answer.getheader(key))}
        told = {k.lower(): v for k, v in answer.getheaders() if k.lower().startswith("x-")}
        return HttpAnswer(answer.status, {**told, **kept}, body[:LARGEST], len(body) > LARGEST)
    except (OSError, http.client.HTTPException) as error:
        why = "no answer in time" if isinstance(error, TimeoutError) else f"{type(error).__name__}"
        raise ServiceFailed(
            f"{name} did not answer to the end ({why}), so nobody knows what became of the request.",
            hint="Look at its log with read_logs, then at the outcome with one of its reads.",
            code="service_silent",
        ) from error
    finally:
        connection.close()
