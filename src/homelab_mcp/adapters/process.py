"""Runs a program without a shell, with bounded time, bounded output, and its whole process group ended with it."""

from __future__ import annotations

import contextlib
import os
import resource
import selectors
import signal
import subprocess
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from homelab_mcp.adapters.lock import held_descriptors

KEPT_LINES = 40
LINE_LIMIT = 2_000
_CHUNK = 65_536
_GRACE = 2.0


@dataclass(frozen=True, slots=True)
class Limits:
    """What a program may use: CPU seconds and bytes of private memory (RLIMIT_DATA); None means no limit.

    Address space is not limited: a Go program reserves far more of it than it uses.
    """

    cpu_seconds: int | None = None
    memory: int | None = None


@dataclass(frozen=True, slots=True)
class Finished:
    """How a program ended: exit code (negative: a signal's number), its last lines, and whether time ran out."""

    code: int
    output: str
    timed_out: bool = False


def run(
    argv: Sequence[str],
    *,
    cwd: str | Path | None = None,
    env: Mapping[str, str] | None = None,
    timeout: float,
    limits: Limits | None = None,
    on_line: Callable[[str], None] | None = None,
    on_quiet: Callable[[], None] | None = None,
    grace: float = _GRACE,
) -> Finished:
    """Run a program to its end and keep the last lines of what it printed on either stream.

    Args:
        argv: the program and its arguments, passed as they are.
        cwd: working folder.
        env: the whole environment; None hands down this process's own.
        timeout: seconds after which the process group is asked to end.
        limits: resource limits, inherited by the program's own children.
        on_line: called with each line as it arrives.
        on_quiet: called about twice a second while nothing arrives; what it raises ends the program.
        grace: seconds from being asked to end until the group is killed.

    Raises:
        FileNotFoundError: no such program, or no such working folder.
    """
    child = subprocess.Popen(
        list(argv),
        cwd=cwd,
        env=None if env is None else dict(env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        pass_fds=held_descriptors(),
    )
    try:
        if limits is not None:
            _limit(child.pid, limits)
        return _follow(child, timeout, grace, on_line, on_quiet)
    except BaseException:
        _signal_group(child.pid, signal.SIGKILL)
        child.wait()
        raise
    finally:
        if child.stdout is not None:
            child.stdout.close()


def read(
    argv: Sequence[str],
    *,
    cwd: str | Path | None = None,
    env: Mapping[str, str] | None = None,
    timeout: float,
    limits: Limits | None = None,
    stdin: bytes = b"",
) -> tuple[Finished, bytes]:
    """Run a program and take its whole standard output; ``Finished.output`` is what it said on standard error.

    Nothing of either stream is written anywhere. Arguments and errors as for ``run``; ``stdin`` is what it reads.
    """
    child = subprocess.Popen(
        list(argv),
        cwd=cwd,
        env=None if env is None else dict(env),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        pass_fds=held_descriptors(),
    )
    with child:
        try:
            if limits is not None:
                _limit(child.pid, limits)
            out, said = child.communicate(stdin, timeout=timeout)
        except subprocess.TimeoutExpired:
            _signal_group(child.pid, signal.SIGKILL)
            out, said = child.communicate()
            return Finished(child.returncode, said.decode("utf-8", "replace")[-LINE_LIMIT:], timed_out=True), out
        except BaseException:
            _signal_group(child.pid, signal.SIGKILL)
            raise
    return Finished(child.returncode, said.decode("utf-8", "replace")[-LINE_LIMIT:]), out


def _limit(pid: int, limits: Limits) -> None:
    # From outside rather than between fork and exec: Python code there can deadlock in a threaded server.
    with contextlib.suppress(ProcessLookupError):
        if limits.cpu_seconds is not None:
            resource.prlimit(pid, resource.RLIMIT_CPU, (limits.cpu_seconds, limits.cpu_seconds))
        if limits.memory is not None:
            resource.prlimit(pid, resource.RLIMIT_DATA, (limits.memory, limits.memory))


class _Tail:
    """The last lines of a byte stream."""

    def __init__(self, on_line: Callable[[str], None] | None) -> None:
        self._lines: deque[str] = deque(maxlen=KEPT_LINES)
        self._rest = b""
        self._on_line = on_line

    def feed(self, data: bytes) -> None:
        *whole, self._rest = (self._rest + data).split(b"\n")
        for line in whole:
            self._keep(line)
        if len(self._rest) > _CHUNK:
            self._keep(self._rest)
            self._rest = b""

    def text(self) -> str:
        if self._rest:
            self._keep(self._rest)
            self._rest = b""
        return "\n".join(self._lines)

    def _keep(self, raw: bytes) -> None:
        line = raw.rstrip(b"\r")[:LINE_LIMIT].decode("utf-8", "replace")
        if not line.strip():
            return
        self._lines.append(line)
        if self._on_line is not None:
            self._on_line(line)


def _follow(
    child: subprocess.Popen[bytes],
    timeout: float,
    grace: float,
    on_line: Callable[[str], None] | None,
    on_quiet: Callable[[], None] | None,
) -> Finished:
    tail = _Tail(on_line)
    end = time.monotonic() + timeout
    timed_out = False
    if child.stdout is None:
        raise RuntimeError("the program was started without a pipe")
    with selectors.DefaultSelector() as selector:
        selector.register(child.stdout, selectors.EVENT_READ)
        while True:
            left = end - time.monotonic()
            if left <= 0:
                if timed_out:
                    break
                timed_out = True
                _signal_group(child.pid, signal.SIGTERM)
                end = time.monotonic() + grace
                continue
            if not selector.select(min(left, 0.5)):
                # A grandchild may hold the pipe open after the program itself has ended.
                if child.poll() is not None:
                    break
                if on_quiet is not None:
                    on_quiet()
                continue
            data = os.read(child.stdout.fileno(), _CHUNK)
            if not data:
                break
            tail.feed(data)
    code, late = _reap(child, max(end - time.monotonic(), 0.0))
    _signal_group(child.pid, signal.SIGKILL)
    return Finished(code, tail.text(), timed_out or late)


def _reap(child: subprocess.Popen[bytes], seconds: float) -> tuple[int, bool]:
    try:
        return child.wait(timeout=seconds), False
    except subprocess.TimeoutExpired:
        _signal_group(child.pid, signal.SIGKILL)
        return child.wait(), True


def _signal_group(group: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)
