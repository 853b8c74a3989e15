"""What ``script/package`` makes, and a clean environment with the built wheel in it."""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from release.lock import needed_to_run, read_lock

ROOT = Path(__file__).resolve().parents[2]


def environment_with(wheel: Path, folder: Path) -> Path:
    """Make a virtual environment with the wheel and what the lock says that it needs to run; its ``bin`` folder.

    The packages are those that were installed from the lock, hashes checked, into the environment the tests run in:
    linked file by file, so that nothing is fetched and nothing else comes along.
    """
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    (place,) = (folder / "lib").glob("python3*/site-packages")
    for name in needed_to_run(read_lock((ROOT / "requirements.lock").read_text("utf-8"))):
        with suppress(importlib.metadata.PackageNotFoundError):  # its marker leaves it out on this machine
            lend(name, place)
    install = ["pip", "--python", str(folder / "bin" / "python"), "install", "--quiet", "--no-deps", "--no-index"]
    done = subprocess.run([sys.executable, "-m", *install, str(wheel)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "bin"


def lend(name: str, place: Path) -> None:
    """Link an installed package's files into another environment's ``site-packages``. Raises PackageNotFoundError."""
    for file in importlib.metadata.files(name) or []:
        target = place / file
        if "__pycache__" not in file.parts and not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(Path(str(file.locate())))


def bare(**more: str) -> dict[str, str]:
    """An environment in which Python finds nothing of this checkout."""
    return {**{k: os.environ[k] for k in ("PATH", "LANG") if k in os.environ}, **more}
