"""Tells somebody through a program of theirs."""

from __future__ import annotations

import shlex
import subprocess

from homelab_mcp.model.errors import HomelabError, InvalidInput

SECONDS = 60.0


def tell(command: str, text: str) -> None:
    """Run a command (no shell, words as a shell splits them) with the text on its standard input.

    Raises:
        InvalidInput: the command cannot be read or is not there (``notify_command``).
        HomelabError: it failed, or took longer than a minute (``notify_failed``).
    """
    try:
        words = shlex.split(command)
        if not words:
            raise ValueError("it is empty")
        done = subprocess.run(words, input=text, text=True, capture_output=True, timeout=SECONDS, check=False)
    except ValueError as error:
        raise InvalidInput(f"The notify command cannot be read: {error}.", code="notify_command") from None
    except OSError as error:
        raise InvalidInput(
            f"The notify command cannot be run: {error.strerror}.", hint="Name a program by its path.",
            code="notify_command",
        ) from None  # fmt: skip
    except subprocess.TimeoutExpired:
        raise HomelabError("The notify command did not end within a minute.", code="notify_failed") from None
    if done.returncode:
        raise HomelabError(f"The notify command ended with {done.returncode}.", code="notify_failed")
