"""What ``script/package`` makes, and a clean environment with the built wheel in it."""

from __future__ import annotations

import hashlib
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


def cloned(folder: Path) -> Path:
    """Clone the last commit into that folder, with an environment; the folder."""
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(folder)], check=True)
    lend_environment(folder)
    return folder


def lend_environment(checkout: Path) -> None:
    """Give a checkout what script/setup makes, with the packages of this environment and the checkout's own program.

    With script/setup's stamp: it finds all there, and fetches nothing.
    """
    venv = checkout / ".venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
    (place,) = (venv / "lib").glob("python3*/site-packages")
    ours = [path for path in sys.path if Path(path).name == "site-packages"]
    # addsitedir would read the .pth of this checkout's own program as well.
    (place / "lent.pth").write_text("\n".join([str(checkout / "src"), *ours]), "utf-8")
    program = venv / "bin" / "homelab-mcp"
    program.write_text(f"#!{venv}/bin/python\nfrom homelab_mcp.cli.main import run\nrun()\n", "utf-8")
    program.chmod(0o755)
    wanted = f"{checkout}\n".encode() + b"".join(
        (checkout / name).read_bytes() for name in ("requirements.lock", "pyproject.toml")
    )
    (venv / ".homelab-stamp").write_text(f"{hashlib.sha256(wanted).hexdigest()}\n", "utf-8")
