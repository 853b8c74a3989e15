"""CAA records, which the system's resolver functions cannot ask for: one DNS question by UDP (RFC 1035, RFC 8659)."""

from __future__ import annotations

import contextlib
import secrets
import socket
import struct
from pathlib import Path

_CAA, _IN = 257, 1
_SECONDS = 2.0
_LARGEST = 4096
_RESOLV = Path("/etc/resolv.conf")
_NO_SUCH_NAME = 3


def caa(name: str, servers: tuple[tuple[str, int], ...] | None = None) -> tuple[str, ...] | None:
    """``issue ca.example`` or ``issuewild ca.example`` of the nearest name upwards that has CAA records.

    Args:
        name: a host name; a leading ``*.`` is left out.
        servers: (address, port) of resolvers; None takes those of /etc/resolv.conf.

    Returns:
        () where no name up the tree has any; None where no resolver answered. ``issue`` alone lets nobody issue.
    """
    labels = name.removeprefix("*.").rstrip(".").split(".")
    for n in range(len(labels)):
        found = _ask(".".join(labels[n:]), servers if servers is not None else _servers())
        if found is None or found:
            return found
    return ()


def _servers() -> tuple[tuple[str, int], ...]:
    try:
        lines = _RESOLV.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return ()
    return tuple(
        (line.split()[1], 53) for line in lines if line.split()[:1] == ["nameserver"] and len(line.split()) > 1
    )


def _ask(name: str, servers: tuple[tuple[str, int], ...]) -> tuple[str, ...] | None:
    try:
        parts = [part.encode("idna") for part in name.split(".")]
    except UnicodeError:
        return ()
    if not all(0 < len(part) < 64 for part in parts):
        return ()
    number = secrets.randbits(16)
    wire = b"".join(bytes([len(part)]) + part for part in parts) + b"\0"
    question = struct.pack(">HHHHHH", number, 0x0100, 1, 0, 0, 0) + wire + struct.pack(">HH", _CAA, _IN)
    for server in servers:
        with contextlib.suppress(OSError, ValueError, IndexError, struct.error):
            answer = _exchange(server, question)
            if answer[:2] == question[:2]:
                return _records(answer)
    return None


def _exchange(server: tuple[str, int], question: bytes) -> bytes:
    family = socket.AF_INET6 if ":" in server[0] else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as asking:
        asking.settimeout(_SECONDS)
        # Connected, so that an answer from any other address is not taken.
        asking.connect(server)
        asking.send(question)
        return asking.recv(_LARGEST)


def _records(answer: bytes) -> tuple[str, ...]:
    """What the answer's CAA records say. Raises ValueError for a refusal, IndexError or struct.error for a bad form."""
    _, flags, questions, count, _, _ = struct.unpack(">HHHHHH", answer[:12])
    code = flags & 0x0F
    if code not in (0, _NO_SUCH_NAME):
        raise ValueError(f"answer code {code}")
    at = 12
    for _ in range(questions):
        at = _after_name(answer, at) + 4
    found = []
    for _ in range(count):
        at = _after_name(answer, at)
        kind, _, _, size = struct.unpack(">HHIH", answer[at : at + 10])
        data = answer[at + 10 : at + 10 + size]
        at += 10 + size
        if kind == _CAA and len(data) > 2:
            end = 2 + data[1]
            tag, value = data[2:end].decode("ascii", "replace").lower(), data[end:].decode("ascii", "replace")
            if tag in ("issue", "issuewild"):
                # Parameters after ; are for the CA; a lone ; forbids everybody.
                found.append(f"{tag} {value.partition(';')[0].strip().lower()}".strip())
    return tuple(found)


def _after_name(answer: bytes, at: int) -> int:
    while True:
        size = answer[at]
        if size & 0xC0:
            return at + 2
        at += 1 + size
        if size == 0:
            return at
