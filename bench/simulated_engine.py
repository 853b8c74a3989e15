"""A SIMULATED Docker Engine: answers a few GET requests about containers that do not exist, on many sockets.

It stands for machines that are not here, so that a lab of 100 hosts can be asked. It runs nothing, changes nothing
and answers at once: what it shows is this project's own cost, never a real engine's.

Run: ``python -m bench.simulated_engine FOLDER HOSTS CONTAINERS [SECONDS]``; hosts share out the containers; SECONDS
is how long the last host takes to answer. Prints a line when it listens; ends when stdin does.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

SERVICES = 10
"""Containers of one stack."""

API = "1.41"
VERSION = {"Version": "20.10.0-simulated", "ApiVersion": API, "MinAPIVersion": "1.12", "Os": "linux", "Arch": "amd64"}


def socket_of(folder: Path, host: int) -> Path:
    """Where that host listens."""
    return folder / f"h{host}.sock"


def shares(hosts: int, containers: int) -> list[range]:
    """Which containers each host has; whole stacks of ``SERVICES``."""
    each = -(-containers // hosts // SERVICES) * SERVICES
    return [range(min(n * each, containers), min((n + 1) * each, containers)) for n in range(hosts)]


def container(number: int, root: str) -> dict[str, Any]:
    """As one element of ``GET /containers/json``."""
    stack, service = f"stack{number // SERVICES}", f"service{number}"
    return {
        "Id": f"{number:064x}",
        "Names": [f"/{stack}-{service}-1"],
        "Image": f"example/{service}:1.0",
        "ImageID": f"sha256:{number:064x}",
        "State": "running",
        "Status": "Up 3 days (healthy)",
        "Ports": [{"PrivatePort": 8080, "Type": "tcp"}],
        "NetworkSettings": {"Networks": {"traefik-network": {}}},
        "Labels": {
            "com.docker.compose.project": stack,
            "com.docker.compose.service": service,
            "com.docker.compose.project.working_dir": f"{root}/{stack}",
            "com.docker.compose.config-hash": f"{number:064x}",
            "traefik.enable": "true",
            f"traefik.http.routers.{service}.rule": f"Host(`{service}.lab.test`)",
        },
    }


class SimulatedHost:
    """What one socket answers; the bodies are made once, as an engine's work is not what is measured."""

    def __init__(self, numbers: range, root: str, delay: float = 0.0) -> None:
        listed = json.dumps([container(n, root) for n in numbers]).encode()
        info = {"ServerVersion": VERSION["Version"], "NCPU": 2, "MemTotal": 2**33, "ContainersRunning": len(numbers)}
        empty = {"containers/json": listed, "info": json.dumps(info).encode(), "version": json.dumps(VERSION).encode()}
        self.bodies = empty | {"volumes": b'{"Volumes": []}', "networks": b"[]", "images/json": b"[]"}
        self.delay = delay

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, kept open for as long as the client wants."""
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                path = head.split(b" ", 2)[1].decode().partition("?")[0].lstrip("/")
                name = path.partition("/")[2] if path.startswith("v1.") else path
                body = self.bodies.get(name)
                word = "200 OK" if body is not None else "404 Not Found"
                body = body if body is not None else b'{"message": "the simulation knows nothing of this"}'
                if self.delay:
                    await asyncio.sleep(self.delay)
                kind = f"HTTP/1.1 {word}\r\nContent-Type: application/json\r\nApi-Version: {API}\r\n"
                writer.write(f"{kind}Content-Length: {len(body)}\r\n\r\n".encode() + body)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


async def main(folder: Path, hosts: int, containers: int, delay: float) -> None:
    """Listen until stdin ends."""
    for number, numbers in enumerate(shares(hosts, containers)):
        host = SimulatedHost(numbers, str(folder / "lab"), delay if number == hosts - 1 else 0.0)
        await asyncio.start_unix_server(host.serve, socket_of(folder, number))
    print("listening", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    # At once: clients keep their connections, and nothing here needs an end of its own.
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(
        main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]) if len(sys.argv) > 4 else 0.0)
    )
