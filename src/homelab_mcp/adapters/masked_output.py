"""stdout and stderr behind the redactor: prints, logging, warnings and tracebacks alike."""

from __future__ import annotations

import atexit
import sys
import threading
from collections.abc import Callable
from typing import Any, TextIO

from homelab_mcp.core.redact import Redactor
from homelab_mcp.core.redact_stream import RedactStream


class MaskedWriter:
    """A text stream that masks what is written to another; complete lines go out, the rest waits for its end.

    It has no ``buffer``: bytes would pass it by.
    """

    def __init__(self, inner: TextIO, redactor: Callable[[], Redactor], *, named: bool) -> None:
        self._inner = inner
        self._stream = RedactStream(redactor, named=named)
        self._guard = threading.RLock()

    def write(self, text: str) -> int:
        """Take text in. Raises TypeError for anything else."""
        if not isinstance(text, str):
            raise TypeError(f"text was expected, not {type(text).__name__}")
        with self._guard:
            if out := self._stream.feed(text):
                self._inner.write(out)
        return len(text)

    def writelines(self, lines: Any) -> None:
        """Write each."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Let out what need not wait, so that a question is seen before its answer is awaited."""
        with self._guard:
            if out := self._stream.flush():
                self._inner.write(out)
            self._inner.flush()

    def close_stream(self) -> None:
        """Let out the rest; the stream itself stays open."""
        with self._guard:
            if out := self._stream.close():
                self._inner.write(out)
            self._inner.flush()

    def __getattr__(self, name: str) -> Any:
        if name == "buffer":
            raise AttributeError(name)
        return getattr(self._inner, name)


def mask_stream(name: str, redactor: Callable[[], Redactor], *, named: bool) -> None:
    """Put ``sys.stdout`` or ``sys.stderr`` behind the redactor, until the process ends.

    Args:
        name: ``stdout`` or ``stderr``.
        redactor: asked at each piece.
        named: also mask what follows names such as ``password=``; not for output that another program parses.
    """
    if isinstance(getattr(sys, name), MaskedWriter):
        return
    writer = MaskedWriter(getattr(sys, name), redactor, named=named)
    setattr(sys, name, writer)
    atexit.register(_last, writer)


def _last(writer: MaskedWriter) -> None:
    try:
        writer.close_stream()
    except (OSError, ValueError):
        # Its reader went away, or it was closed before.
        return
