"""Who is logged in, and how often a PIN may be tried. All of it is in memory: a restart logs everybody out."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections import deque
from dataclasses import dataclass, field

from homelab_mcp.ports import Clock, Signer

IDLE_SECONDS = 15 * 60.0
LONGEST_SECONDS = 8 * 3600.0
MOST_SESSIONS = 20

TRIES_SECONDS = 300.0
TRIES_PER_ADDRESS = 5
TRIES_IN_ALL = 20


@dataclass(slots=True)
class Session:
    """One log-in. Holds the approver's unsealed key until it ends."""

    signer: Signer = field(repr=False)
    account: str
    csrf: str = field(repr=False)
    begun: tuple[float, float]
    seen: tuple[float, float]

    def own(self, token: str) -> bool:
        """Whether a form's token is this session's, in constant time."""
        return hmac.compare_digest(token.encode("utf-8", "replace"), self.csrf.encode())


class Sessions:
    """Open sessions by the hash of their id, so that what is in memory opens nothing. For one event loop."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._open: dict[bytes, Session] = {}

    def open(self, signer: Signer, account: str) -> str:
        """Begin a session; its id, 256 random bits, for the cookie."""
        self._sweep()
        while len(self._open) >= MOST_SESSIONS:
            del self._open[min(self._open, key=lambda k: self._open[k].seen)]
        token = secrets.token_urlsafe(32)
        now = self._now()
        self._open[_hashed(token)] = Session(signer, account, secrets.token_urlsafe(32), now, now)
        return token

    def find(self, token: str, *, touch: bool = True) -> Session | None:
        """The session with that id, where it has not ended. ``touch``: a person did something, so it idles anew."""
        self._sweep()
        session = self._open.get(_hashed(token)) if token else None
        if session is not None and touch:
            session.seen = self._now()
        return session

    def close(self, token: str) -> None:
        """End a session; the key it held is dropped."""
        self._open.pop(_hashed(token), None)

    def _sweep(self) -> None:
        now = self._now()
        for key, session in list(self._open.items()):
            if _since(session.seen, now) >= IDLE_SECONDS or _since(session.begun, now) >= LONGEST_SECONDS:
                del self._open[key]

    def _now(self) -> tuple[float, float]:
        return self._clock.now(), self._clock.monotonic()


class Tries:
    """Tries at the PIN within the last five minutes, of each address and of all; for one event loop."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._made: deque[tuple[float, str]] = deque()

    def take(self, address: str) -> float:
        """Count a try before it is made: 0, or the seconds to wait where there were too many."""
        now = self._clock.monotonic()
        while self._made and now - self._made[0][0] >= TRIES_SECONDS:
            self._made.popleft()
        mine = [when for when, who in self._made if who == address]
        for made, most in (([when for when, _ in self._made], TRIES_IN_ALL), (mine, TRIES_PER_ADDRESS)):
            if len(made) >= most:
                return max(1.0, made[-most] + TRIES_SECONDS - now)
        self._made.append((now, address))
        return 0.0

    def forgive(self, address: str) -> None:
        """Forget the tries of an address that knew the PIN."""
        self._made = deque(t for t in self._made if t[1] != address)


def _hashed(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()


def _since(then: tuple[float, float], now: tuple[float, float]) -> float:
    # A clock set back does not lengthen a session, and a machine asleep does not stop its time.
    return max(now[0] - then[0], now[1] - then[1])
