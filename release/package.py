"""``script/package``: everything that is published, in one folder, with its checksums."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import typer

from homelab_mcp import __version__
from homelab_mcp.cli.app import app
from homelab_mcp.cli.man_page import page_of
from release.bundle import write_bundle
from release.lock import PROJECT, as_requirements, needed_to_run, read_lock
from release.sbom import bill

ROOT = Path(__file__).resolve().parents[1]
SUMS = "SHA256SUMS"
SIGNED_AS = "homelab-mcp-release"
"""The namespace of signatures (ssh-keygen(1), ``-Y sign``): one made for another purpose does not count."""


def main() -> int:
    """Make all of it; 0 when it is there."""
    parser = argparse.ArgumentParser(prog="script/package", description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "dist", help="folder to write to; emptied first")
    parser.add_argument("--sign", metavar="KEY", help="SSH private key that signs the checksums")
    options = parser.parse_args()
    if options.out.exists():
        if any(path.is_dir() or not _ours(path) for path in options.out.iterdir()):
            parser.error(f"{options.out} holds something else: name another folder")
        shutil.rmtree(options.out)
    options.out.mkdir(parents=True)
    package(options.out)
    if options.sign:
        sign(options.out / SUMS, options.sign)
    for path in sorted(options.out.iterdir()):
        print(f"{path.stat().st_size:>9}  {path.name}")
    return 0


def package(out: Path) -> None:
    """Write wheel, source, lock, bill of materials, bundle, manual page, completions and checksums into ``out``."""
    when = _commit_time()
    wheel = build(out, when)
    pins = read_lock((ROOT / "requirements.lock").read_text(encoding="utf-8"))
    stem = f"{PROJECT}-{__version__}"
    (out / f"{stem}.lock.txt").write_text(as_requirements(needed_to_run(pins)), encoding="utf-8")
    made_at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(when))
    (out / f"{stem}.cdx.json").write_text(json.dumps(bill(pins, __version__, made_at), indent=1) + "\n", "utf-8")
    write_bundle(out / f"homelab-mcp-{__version__}.mcpb", wheel, __version__, pins)
    (out / "homelab-mcp.1").write_text(page_of(typer.main.get_command(app)), encoding="utf-8")
    for shell in ("bash", "zsh", "fish"):
        (out / f"homelab-mcp.{shell}").write_text(_completion(shell), encoding="utf-8")
    write_sums(out)


def build(out: Path, when: int) -> Path:
    """Wheel and source archive, by the build tool of this environment: nothing is fetched. Returns the wheel."""
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-d", str(out.resolve())],
        cwd=ROOT,
        env={**os.environ, "SOURCE_DATE_EPOCH": str(when)},
        check=True,
        capture_output=True,
    )
    (wheel,) = out.glob("*.whl")
    return wheel


def write_sums(out: Path) -> None:
    """``SHA256SUMS`` over all that is there, as ``sha256sum --check`` reads it."""
    files = sorted(path for path in out.iterdir() if path.name != SUMS)
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files]
    (out / SUMS).write_text("".join(lines), encoding="utf-8")


def sign(sums: Path, key: str) -> None:
    """Sign the checksums with an SSH key, which signs everything; makes ``SHA256SUMS.sig``."""
    subprocess.run(["ssh-keygen", "-q", "-Y", "sign", "-f", key, "-n", SIGNED_AS, str(sums)], check=True)


def _ours(path: Path) -> bool:
    return path.name.startswith(("homelab", SUMS))


def _commit_time() -> int:
    """When the commit that is checked out was made: two builds of it are the same, byte for byte."""
    done = subprocess.run(["git", "log", "-1", "--format=%ct"], cwd=ROOT, capture_output=True, text=True, check=False)
    return int(done.stdout) if done.returncode == 0 and done.stdout.strip() else 315_532_800


def _completion(shell: str) -> str:
    """The shell's script; the command is called by its own name, which it is made for."""
    command = str(Path(sys.executable).with_name("homelab-mcp"))
    where = {**os.environ, "_HOMELAB_MCP_COMPLETE": f"source_{shell}"}
    return subprocess.run([command], env=where, capture_output=True, text=True, check=True).stdout


if __name__ == "__main__":
    raise SystemExit(main())
