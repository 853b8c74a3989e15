"""The tokens that count: those kept in the lab, and the one given at start."""

from __future__ import annotations

import hashlib
import hmac
import logging

from homelab_mcp.model.errors import HomelabError
from homelab_mcp.model.token import STATIC, Scope, Token
from homelab_mcp.ports import TokenStore

logger = logging.getLogger("homelab_mcp.http")


class Keyring:
    """Looks tokens up; where they cannot be read, none counts.

    Args:
        store: the lab's tokens.
        static: the value given at start, "" for none; ``scopes`` is what it may do.
        always: a token is needed even where none was ever made.
    """

    def __init__(self, store: TokenStore, static: str, scopes: tuple[Scope, ...], *, always: bool) -> None:
        self._store = store
        self._static = _hash(static) if static else None
        self._token = Token(STATIC, STATIC, scopes, 0.0)
        self._always = always or bool(static)
        self._told = ""

    def needed(self) -> bool:
        """Whether requests need a token now: it becomes so, without a restart, once one is made."""
        if not self._always:
            # Never back again while this server runs: a file that goes away must not open it.
            self._always = self._store.exists()
        return self._always

    def find(self, value: str) -> Token | None:
        """The token of that value, if it counts."""
        found = self._kept(value)
        if self._static is not None and hmac.compare_digest(self._static, _hash(value)):
            return self._token
        return found

    def used(self, token: Token) -> None:
        """Note that a token was used; blocks for a disk write once an hour."""
        if token.id != STATIC:
            self._store.note_use(token)

    def _kept(self, value: str) -> Token | None:
        try:
            found = self._store.find(value)
        except HomelabError as error:
            if self._told != error.code:
                logger.error("no token of the lab counts: %s", error.as_text())
            self._told = error.code
            return None
        self._told = ""
        return found


def _hash(value: str) -> bytes:
    return hashlib.sha256(value.encode("utf-8", "surrogateescape")).digest()
