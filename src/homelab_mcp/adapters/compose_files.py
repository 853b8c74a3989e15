"""A stack's files as Compose is told of them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from homelab_mcp.core.project_name import folder_project, written_name
from homelab_mcp.core.redact import secret_values
from homelab_mcp.model.lab import COMPOSE_NAMES, OVERRIDE_NAMES

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


def written_texts(folder: Path) -> str:
    """What stands in the stack's compose file and its override files, one after the other."""
    found = [compose_text(folder)]
    for path in (folder / name for name in OVERRIDE_NAMES):
        # One that may not be read is Compose's to complain of.
        with suppress(OSError):
            found += [path.read_text(encoding="utf-8", errors="replace")] if is_plain(path) else []
    return "\n".join(found)


def is_plain(path: Path) -> bool:
    """A file of its own: where the lab's files are read, links are not followed either."""
    return not path.is_symlink() and path.is_file()
