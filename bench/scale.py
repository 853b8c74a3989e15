"""The status of labs up to 100 hosts and 10,000 containers, asked of a SIMULATED engine, against raw requests.

Raw is a GET of the same list from every socket, one after the other, with each answer parsed. Nothing here says how
fast a real engine is: ``bench.status`` asks a real one.

Run: ``python -m bench.scale``.
"""

from __future__ import annotations

import cProfile
import io
import json
import pstats
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from bench.lines import Line, in_turn, show
from bench.simulated_engine import SERVICES, shares, socket_of
from bench.status import SocketConnection
from bench.validate import peak
from homelab_mcp.bootstrap import LocalLab
from homelab_mcp.queries.lab_status import LabStatus, lab_status

SIZES = ((1, 20), (1, 200), (3, 500), (10, 1_000), (30, 3_000), (100, 10_000))
"""Hosts and containers."""


def write_lab(root: Path, folder: Path, hosts: int, containers: int) -> None:
    """The files of a lab that declares these containers; the first host is the lab's own machine."""
    root.mkdir()
    (root / "homelab.yaml").write_text("domain: lab.test\n", encoding="utf-8")
    if hosts > 1:
        entries = "".join(f"  h{n}: {{address: 'unix://{socket_of(folder, n)}'}}\n" for n in range(1, hosts))
        (root / "hosts.yaml").write_text(f"hosts:\n{entries}", encoding="utf-8")
    for host, numbers in enumerate(shares(hosts, containers)):
        for first in range(numbers.start, numbers.stop, SERVICES):
            stack = root / f"stack{first // SERVICES}"
            stack.mkdir()
            services = "".join(
                f"  service{n}:\n    image: example/service{n}:1.0\n    labels:\n      traefik.enable: 'true'\n"
                f"      traefik.http.routers.service{n}.rule: Host(`service{n}.lab.test`)\n"
                for n in range(first, min(first + SERVICES, numbers.stop))
            )
            head = f"x-homelab:\n  host: h{host}\n\n" if host else ""
            (stack / "compose.yaml").write_text(f"{head}services:\n{services}", encoding="utf-8")


@contextmanager
def simulated(hosts: int, containers: int, delay: float = 0.0) -> Iterator[tuple[Path, LocalLab]]:
    """A folder of sockets that answer, and the lab on them."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        write_lab(folder / "lab", folder, hosts, containers)
        argv = [sys.executable, "-m", "bench.simulated_engine", str(folder), str(hosts), str(containers), str(delay)]
        # Leaving it closes its stdin, which ends it, and waits for that.
        with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as engine:
            assert engine.stdout is not None
            engine.stdout.readline()
            yield folder, lab_on(folder)


def lab_on(folder: Path) -> LocalLab:
    """The lab, whose own machine is the first socket."""
    from homelab_mcp.adapters.docker_engine import DockerEngine

    lab = LocalLab(str(folder / "lab"))
    lab.__dict__["_local_engine"] = DockerEngine(f"unix://{socket_of(folder, 0)}")
    return lab


def raw(folder: Path, hosts: int) -> int:
    """Every host's list with nothing in between."""
    found = 0
    for number in range(hosts):
        connection = SocketConnection("localhost", path=str(socket_of(folder, number)))
        connection.request("GET", "/v1.41/containers/json?all=1")
        found += len(json.loads(connection.getresponse().read()))
        connection.close()
    return found


def status(lab: LocalLab) -> LabStatus:
    """What the tool asks for."""
    return lab_status(lab.files, lab.engine, limit=50)


def where(lab: LocalLab, most: int = 8) -> list[str]:
    """The functions of this project that one status spends the most time in, with their own seconds."""
    profile = cProfile.Profile()
    profile.runcall(status, lab)
    stats = pstats.Stats(profile, stream=io.StringIO())
    rows = sorted(stats.stats.items(), key=lambda item: -item[1][2])[:most]  # type: ignore[attr-defined] # typeshed
    said = "{:6.2f} s own, {:6.2f} s in all: {}:{}"
    return [said.format(own, whole, Path(f).name, name) for (f, _, name), (_, _, own, whole, _) in rows]


def main() -> None:
    """Measure every size, then the two ways in which a large lab breaks."""
    spent: dict[int, float] = {}
    for hosts, containers in SIZES:
        with simulated(hosts, containers) as (folder, lab):
            seen = status(lab)
            if seen.total != containers or seen.silent or seen.engine_error:
                raise RuntimeError(f"{seen.total} of {containers}: {seen.silent or seen.engine_error}")
            rounds = 9 if containers <= 1_000 else 3
            ours, floor = in_turn(partial(status, lab), partial(raw, folder, hosts), rounds)
            spent[containers] = ours
            name = f"lab_status, {containers:,} simulated containers on {hosts} host{'s' * (hosts > 1)}"
            show(Line(name, "raw GETs", ours, floor))
            print(f"  {ours / containers:.2f} ms a container; peak memory of this process {peak():.0f} MB", flush=True)
            if containers == max(size for _, size in SIZES):
                print("\n".join(["  where one status of that lab spends its time:", *(f"  {w}" for w in where(lab))]))
    show(
        Line(
            "lab_status growth, 1,000 to 10,000 containers",
            "ten times the smaller",
            spent[10_000],
            10 * spent[1_000],
            bound=1.3,
        )
    )
    with simulated(10, 1_000, delay=30.0) as (_, lab):
        begun = time.perf_counter()
        seen = status(lab)
        took = time.perf_counter() - begun
        print(f"one of 10 hosts silent: {took:.1f} s, silent {sorted(seen.silent)}, rows {seen.total}")


if __name__ == "__main__":
    main()
