"""Tokens of HTTP clients in ``.homelab/tokens.json``: their hashes, never their values."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import hmac
import json
import os
import secrets
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from homelab_mcp.adapters.clock import SystemClock
from homelab_mcp.adapters.private import private_folder, write_private
from homelab_mcp.core.token_words import token_name
from homelab_mcp.model.errors import InvalidInput, NotFound, StorageFailed, storage_failed
from homelab_mcp.model.lab import PRIVATE_FOLDER
from homelab_mcp.model.token import Scope, Token
from homelab_mcp.ports import Clock

PREFIX = "hmcp_"
"""Begins every token, so that people and scanners of repositories know one when they see it."""

TOKEN_BYTES = 32
USED_EVERY = 3600.0
"""Seconds between two notes of a token's use: enough to see which one is idle, without a write at each request."""

MANY = 200
"""Tokens of one lab; every request is compared with each of them."""


class FileTokenStore:
    """Fulfils ``ports.TokenStore``.

    A value is 256 random bits, so one round of SHA-256 keeps it: there is nothing to guess that a slow hash would
    have to slow down, as there is with passwords (NIST SP 800-63B, 5.1.2.2, draws that line at 112 bits).
    The file is read again whenever it changed: a token that was made or revoked counts from the next request on.
    """

    def __init__(self, root: str | Path, clock: Clock | None = None) -> None:
        self._root = Path(root).resolve()
        self._path = self._root / PRIVATE_FOLDER / "tokens.json"
        self._clock = clock or SystemClock()
        self._guard = threading.Lock()
        self._seen: tuple[int, int, int] | None = None
        self._kept: tuple[tuple[bytes, Token], ...] = ()

    def exists(self) -> bool:
        """Whether tokens were ever made here. Revoking the last one does not open the server again."""
        return os.path.lexists(self._path)

    def list(self) -> tuple[Token, ...]:
        """All tokens, the expired too, oldest first. Raises InvalidInput (tokens_corrupt), StorageFailed."""
        return tuple(token for _, token in self._read())

    def create(self, name: str, scopes: tuple[Scope, ...], days: int) -> tuple[Token, str]:
        """A new token and its value, which is kept nowhere; ``days`` 0: it never expires.

        Raises InvalidInput (bad_token_name, token_exists, too_many_tokens), StorageFailed.
        """
        value = PREFIX + secrets.token_urlsafe(TOKEN_BYTES)
        now = self._clock.now()
        expires = now + days * 86_400.0 if days else 0.0
        token = Token(token_name(name), secrets.token_hex(8), scopes, now, expires)
        with self._changing() as kept:
            if any(other.name == name for _, other in kept):
                raise InvalidInput(
                    f"There is a token named {name} already.",
                    hint=f"Take another name, or run `homelab-mcp token revoke {name}` first.",
                    code="token_exists",
                )
            if len(kept) >= MANY:
                raise InvalidInput(
                    f"There are {MANY} tokens already.", hint="Revoke those not in use.", code="too_many_tokens"
                )
            self._write([*kept, (_hash(value), token)])
        return token, value

    def revoke(self, name: str) -> Token:
        """Forget a token; whoever has it is refused from the next request on. Raises NotFound, StorageFailed."""
        with self._changing() as kept:
            for entry in kept:
                if entry[1].name == name:
                    self._write([other for other in kept if other is not entry])
                    return entry[1]
        raise NotFound(
            f"There is no token named {name[:60]!a}.", hint="See `homelab-mcp token list`.", code="token_unknown"
        )

    def find(self, value: str) -> Token | None:
        """The token of that value, unless it has expired.

        It is compared with every token, each in constant time. Raises InvalidInput (tokens_corrupt), StorageFailed.
        """
        given = _hash(value)
        found = None
        for kept, token in self._read():
            if hmac.compare_digest(kept, given):
                found = token
        return None if found is None or found.expired(self._clock.now()) else found

    def note_use(self, token: Token) -> None:
        """Note that the token was used, at most once an hour; where that cannot be written, nothing is noted."""
        now = self._clock.now()
        if now - token.used < USED_EVERY:
            return
        with contextlib.suppress(StorageFailed, InvalidInput), self._changing() as kept:
            self._write([(h, _used(t, now) if t.id == token.id else t) for h, t in kept])

    def _read(self) -> tuple[tuple[bytes, Token], ...]:
        try:
            fd = os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise _unreadable() from error
        with os.fdopen(fd, "rb") as file, self._guard:
            stat = os.fstat(fd)
            mark = (stat.st_mtime_ns, stat.st_ino, stat.st_size)
            if mark != self._seen:
                self._kept = _parsed(file.read())
                self._seen = mark
            return self._kept

    @contextlib.contextmanager
    def _changing(self) -> Iterator[tuple[tuple[bytes, Token], ...]]:
        """The tokens, while no other process or thread changes them."""
        try:
            folder = private_folder(self._root)
            fd = os.open(folder / "tokens.lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise storage_failed(error, f"{PRIVATE_FOLDER}/tokens.json") from error
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield self._read()
        finally:
            os.close(fd)

    def _write(self, kept: Sequence[tuple[bytes, Token]]) -> None:
        rows = [
            {
                "name": token.name,
                "id": token.id,
                "sha256": digest.hex(),
                "scopes": [str(scope) for scope in token.scopes],
                "created": token.created,
                "expires": token.expires,
                "used": token.used,
            }
            for digest, token in kept
        ]
        write_private(self._path, json.dumps({"version": 1, "tokens": rows}, indent=1) + "\n")


def _hash(value: str) -> bytes:
    return hashlib.sha256(value.encode("utf-8", "surrogateescape")).digest()


def _used(token: Token, now: float) -> Token:
    return Token(token.name, token.id, token.scopes, token.created, token.expires, now)


def _parsed(content: bytes) -> tuple[tuple[bytes, Token], ...]:
    try:
        data = json.loads(content)
        if data["version"] != 1:
            raise ValueError("unknown version")
        return tuple(_entry(row) for row in data["tokens"])
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise _unreadable() from None


def _entry(row: dict[str, Any]) -> tuple[bytes, Token]:
    digest = bytes.fromhex(row["sha256"])
    if len(digest) != hashlib.sha256().digest_size:
        raise ValueError("no SHA-256")
    scopes = tuple(Scope(word) for word in row["scopes"])
    times = (float(row["created"]), float(row["expires"]), float(row["used"]))
    return digest, Token(token_name(row["name"]), str(row["id"]), scopes, *times)


def _unreadable() -> InvalidInput:
    return InvalidInput(
        f"{PRIVATE_FOLDER}/tokens.json cannot be read, so no token counts.",
        hint="Put it back from a backup, or move it away and make new tokens with `homelab-mcp token create`.",
        code="tokens_corrupt",
    )
