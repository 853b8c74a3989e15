"""How much this project adds to Docker's own answer: lists of 20 and of 200 real containers, side by side.

Raw is a GET of the same address over the engine's socket, with the answer read and parsed as JSON. Printed are
medians, their ratio, and the size of the whole status as text (tokens counted as four characters). The containers are
removed at the end.

Run: ``python -m bench.status [--containers 20 200] [--rounds 50]``; sizes that grow.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import socket
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from bench.lines import Line, show
from homelab_mcp.adapters.docker_engine import DockerEngine
from homelab_mcp.adapters.files import LabFiles
from homelab_mcp.queries.lab_status import lab_status
from testbed import Scratch, stand_in

IMAGE = "homelab-bench/status:1"
SOCKET = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock").removeprefix("unix://")
FILTER = quote(json.dumps({"label": ["com.docker.compose.project"]}))


class SocketConnection(http.client.HTTPConnection):
    """HTTP over an engine's socket."""

    def __init__(self, host: str, *, path: str = SOCKET) -> None:
        super().__init__(host)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket instead of a host."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self._path)


def raw() -> int:
    """Ask the engine with nothing in between; how many containers it told of."""
    connection = SocketConnection("localhost")
    connection.request("GET", f"/v1.41/containers/json?all=1&filters={FILTER}")
    found = json.loads(connection.getresponse().read())
    connection.close()
    return len(found)


def median_ms(call: Callable[[], object], rounds: int) -> float:
    """Median time of a call in milliseconds, after three that don't count."""
    times = []
    for turn in range(rounds + 3):
        start = time.perf_counter()
        call()
        if turn >= 3:
            times.append((time.perf_counter() - start) * 1000)
    return statistics.median(times)


def lab_of(root: Path, run: Scratch, numbers: range) -> None:
    """Start these containers and write the files of a lab that declares them, five services a stack."""
    for number in numbers:
        stack, service = f"stack{number // 5}", f"service{number}"
        folder = root / stack
        folder.mkdir(exist_ok=True)
        file = folder / "compose.yaml"
        text = file.read_text() if file.exists() else "services:\n"
        rule = f"Host(`{service}.${{DOMAIN}}`)"
        text += f"  {service}:\n    image: {IMAGE}\n    labels:\n      traefik.http.routers.{service}.rule: {rule}\n"
        file.write_text(text)
        (folder / ".env").write_text("DOMAIN=lab.test\n")
        run.container(
            IMAGE,
            labels={
                "com.docker.compose.project": stack,
                "com.docker.compose.project.working_dir": str(folder),
                "com.docker.compose.service": service,
                f"traefik.http.routers.{service}.rule": f"Host(`{service}.lab.test`)",
            },
        )


def measure(root: Path, count: int, rounds: int) -> None:
    """Ask of the lab as it is now."""
    engine, files = DockerEngine(), LabFiles(root)
    plain = median_ms(raw, rounds)
    ours = median_ms(engine.containers, rounds)
    whole = median_ms(lambda: lab_status(files, engine, limit=200), rounds)
    text = lab_status(files, engine, limit=200).text()
    show(Line(f"engine.containers(), {count} containers", "raw GET of Docker's API", ours, plain))
    show(Line(f"lab_status, {count} containers", "raw GET of Docker's API", whole, plain))
    print(f"status as text: {len(text)} characters, about {len(text) // 4} tokens; {rounds} rounds")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--containers", type=int, nargs="+", default=[20, 200])
    parser.add_argument("--rounds", type=int, default=50)
    options = parser.parse_args()
    with Scratch() as run, tempfile.TemporaryDirectory() as folder:
        stand_in(IMAGE)
        root = Path(folder).resolve()
        there = 0
        for count in sorted(options.containers):
            begun = time.perf_counter()
            lab_of(root, run, range(there, count))
            there = count
            print(f"{count} containers run after {time.perf_counter() - begun:.0f} s more", flush=True)
            time.sleep(6)
            measure(root, count, options.rounds)


if __name__ == "__main__":
    main()
