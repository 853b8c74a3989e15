"""A stack's files as Compose is told of them, on disk or laid out in a folder apart."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from homelab_mcp.core.project_name import folder_project, written_name
from homelab_mcp.core.redact import secret_values
from homelab_mcp.model.lab import COMPOSE_NAMES

GLOBAL_ENV = "global.env"
"""Variables for every stack, at the lab's root; read before the stack's own, as Dockge does."""


def project_arguments(
    stack: str, file: Path, compose_text: str, env_files: Sequence[str], others: Sequence[Path] = ()
) -> list[str]:
    """The options that tell Compose whose files these are: folder, files, project name and env files."""
    arguments = [f"--project-directory={file.parent}", f"--file={file}", *(f"--file={other}" for other in others)]
    if written_name(compose_text) is None:
        arguments.append(f"--project-name={folder_project(stack)}")
    return arguments + [f"--env-file={path}" for path in env_files]


def mirror(folder: Path, into: Path, without: set[str]) -> None:
    """Links to everything in a folder, so that relative paths (env_file, include) lead where they lead from there."""
    if folder.is_dir():
        for entry in sorted(folder.iterdir()):
            if entry.name not in without:
                (into / entry.name).symlink_to(entry.absolute())


def secrets_of(path: Path) -> tuple[str, ...]:
    """The secrets in an env file; none where there is no such file."""
    return secret_values(path.read_text(encoding="utf-8", errors="replace")) if path.is_file() else ()


def compose_file(folder: Path) -> Path | None:
    """The stack's compose file: the first of the names that Compose looks for; None where there is none."""
    return next((folder / name for name in COMPOSE_NAMES if is_plain(folder / name)), None)


def compose_text(folder: Path) -> str:
    """What stands in the stack's compose file; empty where there is none."""
    file = compose_file(folder)
    return file.read_text(encoding="utf-8", errors="replace") if file else ""


def is_plain(path: Path) -> bool:
    """A file of its own: where the lab's files are read, links are not followed either."""
    return path.is_file() and not path.is_symlink()


def private(path: Path, text: str) -> Path:
    """Write a new file that its owner alone can read."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    return path
