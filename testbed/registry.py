"""A real image registry on loopback: Debian's docker-registry, with images pushed by the engine itself."""

from __future__ import annotations

import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from testbed.docker_engine import TestbedError, docker, free_port, wait_until


@contextmanager
def running_registry(folder: Path) -> Iterator[str]:
    """``127.0.0.1:PORT`` of a registry that keeps its images in the folder; its end stops it.

    Raises TestbedError where docker-registry is not installed.
    """
    program = shutil.which("docker-registry")
    if program is None:
        raise TestbedError("docker-registry is missing: script/setup installs it (or: apt-get install docker-registry)")
    address = f"127.0.0.1:{free_port()}"
    config = folder / "registry.yml"
    config.write_text(
        f"version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {folder / 'images'}}}}}\n"
        f"http: {{addr: '{address}'}}\n"
    )
    process = subprocess.Popen([program, "serve", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def answers() -> bool:
        try:
            with urllib.request.urlopen(f"http://{address}/v2/", timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    try:
        wait_until(answers, "the registry", within=30, every=0.1)
        yield address
    finally:
        process.terminate()
        process.wait(timeout=20)


def push(local: str, remote: str) -> None:
    """Push an image that is on the engine under that name of the registry, as another machine would.

    What the name stood for on this engine stays as it was.
    """
    before = docker("images", "--quiet", "--no-trunc", remote).split()
    docker("tag", local, remote)
    docker("push", "--quiet", remote)
    docker("rmi", "--no-prune", remote)
    if before:
        docker("tag", before[0], remote)
