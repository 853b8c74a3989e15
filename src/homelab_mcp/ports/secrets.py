"""Keys, secret files, and tokens."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from homelab_mcp.model.token import Scope, Token


@dataclass(frozen=True, slots=True)
class VaultReport:
    """A lab's key, without the key.

    Args:
        lab_id: "" where the lab has none yet.
        path: where the key is expected.
        key_id: of the key that seals; "" where there is none.
        keys: how many the file holds; two while a rotation is not finished.
        problem: why it cannot be used, or is not private; "" where all is well.
        sealed: records that were sealed anew by a rotation.
        unreadable: records that no key opens any more.
    """

    lab_id: str
    path: str
    key_id: str
    keys: int
    problem: str = ""
    sealed: int = 0
    unreadable: int = 0


class Vault(Protocol):
    """The key of what the lab keeps encrypted. Raises VaultLocked, StorageFailed."""

    def ensure(self) -> None:
        """Make the key of a lab that never had one."""
        ...

    def report(self) -> VaultReport: ...
    def rotate(self, *, lost: bool = False) -> VaultReport:
        """Seal everything with a new key; ``lost``: although the old key is gone, and what it sealed with it."""
        ...

    def finish(self) -> bool:
        """Finish a rotation that was cut off; whether there was one."""
        ...


@dataclass(frozen=True, slots=True)
class KeptFile:
    """One file in a snapshot: ``mark`` is a keyed hash, equal for equal contents in one lab and useless elsewhere."""

    path: str
    mode: int
    size: int
    mark: str


@dataclass(frozen=True, slots=True)
class SecretsSnapshot:
    """The lab's secret files as they were: ``when`` is Unix seconds, ``left_out`` could not be read."""

    name: str
    when: float
    plan: str
    files: tuple[KeptFile, ...]
    left_out: tuple[str, ...] = ()


class Snapshots(Protocol):
    """Encrypted copies of the files that git must not hold. Raises VaultLocked, StorageFailed, NotFound."""

    def take(self, plan_id: str = "", also: Iterable[str] = ()) -> SecretsSnapshot:
        """Keep every secret file as it is now, with those in ``also``; old snapshots are let go of."""
        ...

    def names(self) -> tuple[str, ...]:
        """Every snapshot, the newest first."""
        ...

    def get(self, name: str) -> SecretsSnapshot: ...
    def content(self, name: str, path: str) -> bytes:
        """What the file was in that snapshot."""
        ...


class SecretSource(Protocol):
    """Where generated secrets come from."""

    def make(self, kind: str, length: int) -> str:
        """A random value: kind hex, base64, alnum or uuid; ``length`` in characters."""
        ...

    def argon2(self, value: str) -> str:
        """Argon2id hash of the value, in PHC string format, with Authelia's published parameters."""
        ...


class Handover(Protocol):
    """New passwords on their way to a person, past every model. Raises InvalidInput, StorageFailed."""

    def leave(self, user: str, password: str) -> str:
        """Keep a new password for its person; where it is, relative to the lab's root."""
        ...

    def take(self, user: str) -> str | None:
        """The password, for the one time that it is shown; None where none waits."""
        ...


class HookSecret(Protocol):
    """What a forge signs its calls with."""

    def read(self) -> str:
        """It, or "" where there is none. Raises StorageFailed."""
        ...

    def make(self) -> str:
        """A new one in the place of any other. Raises StorageFailed."""
        ...

    def remove(self) -> bool:
        """Take it away; whether there was one."""
        ...


class TokenStore(Protocol):
    """Tokens of HTTP clients; only their hashes are kept. Raises InvalidInput (tokens_corrupt), StorageFailed."""

    def exists(self) -> bool:
        """Whether tokens were ever made here: HTTP clients then need one, even when all are revoked."""
        ...

    def list(self) -> tuple[Token, ...]: ...
    def create(self, name: str, scopes: tuple[Scope, ...], days: int) -> tuple[Token, str]:
        """A new token and its value, for the one time that it is shown; ``days`` 0: it never expires."""
        ...

    def revoke(self, name: str) -> Token:
        """Raises NotFound."""
        ...

    def find(self, value: str) -> Token | None:
        """The token of that value, compared in constant time; None for an unknown or expired one."""
        ...

    def note_use(self, token: Token) -> None: ...
