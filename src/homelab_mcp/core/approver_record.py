"""Which key is the approver's, by what the journal says of it.

The first key that is recorded is trusted. Another one follows it where the old key signed for it (a changed PIN), or
where a person accepted it without (a forgotten PIN); any other key was put in its place by somebody.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

SET = "approver_set"
CHANGED = "approver_changed"
ACCEPTED = "approver_accepted"
RECORDS = (SET, CHANGED, ACCEPTED)
"""The journal's events that tell of the key."""

SignedBy = Callable[[str, bytes, str], bool]
"""Whether (public key, message, signature) fit together; keys and signatures in Base64."""

Links = Sequence[tuple[str, str]]
"""(public key, its signature for the key after it), oldest first; the last one's signature is for the key in use."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """The key on record: Base64 of its public half, since when (Unix seconds), by which event, and who was there."""

    public: str
    since: float
    event: str
    by: str = ""


class Standing(StrEnum):
    """How the key in use stands to the one on record."""

    NONE = "none"
    UNRECORDED = "unrecorded"
    KNOWN = "known"
    FOLLOWS = "follows"
    REPLACED = "replaced"


def key_name(public: str) -> str:
    """A key as a person compares it: 16 hexadecimal digits of its SHA-256 in groups of four; "" for no key."""
    try:
        raw = base64.b64decode(public, validate=True)
    except (binascii.Error, ValueError):
        raw = public.encode("utf-8", "replace")
    digest = hashlib.sha256(raw).hexdigest()
    return "-".join(digest[i : i + 4] for i in range(0, 16, 4)) if public else ""


def told(known: Recorded) -> str:
    """A key on record in words: its name, how it came there, and when (UTC)."""
    day = datetime.fromtimestamp(known.since, UTC).strftime("%Y-%m-%d %H:%M UTC")
    how = {SET: "set", CHANGED: "changed with its PIN", ACCEPTED: "accepted without the old PIN"}[known.event]
    return f"{key_name(known.public)} ({how} {day})"


def following_message(old: str, new: str) -> bytes:
    """What the old key signs, so that the new one follows it."""
    return _message("follows", old, new)


def accepting_message(old: str, new: str) -> bytes:
    """What the new key signs where a person accepts it in place of one whose PIN is lost."""
    return _message("accepted", old, new)


def recorded(entries: Iterable[Mapping[str, Any]], signed_by: SignedBy) -> Recorded | None:
    """The key that the journal's entries come to; None where none was ever recorded."""
    found: Recorded | None = None
    for entry in entries:
        event, data = entry.get("event"), entry.get("data")
        if event not in RECORDS or not isinstance(data, Mapping):
            continue
        public, old = str(data.get("approver", "")), str(data.get("previous", ""))
        if _counts(str(event), public, old, data.get("proof"), found, signed_by):
            found = Recorded(public, float(entry.get("time") or 0.0), str(event), str(data.get("by", "")))
    return found


def follows(old: str, links: Links, public: str, signed_by: SignedBy) -> Links:
    """The links that lead from the old key to this one, each signed by the key before; none where they do not."""
    at = next((n for n, (key, _) in enumerate(links) if key == old), None)
    if at is None:
        return ()
    chain = links[at:]
    after = [key for key, _ in chain[1:]] + [public]
    whole = all(
        signed_by(key, following_message(key, new), sign) for (key, sign), new in zip(chain, after, strict=True)
    )
    return chain if whole else ()


def standing(known: Recorded | None, public: str, links: Links, signed_by: SignedBy) -> Standing:
    """How the key in use (its public half, "" for none, and the links in its file) stands to the one on record."""
    if not public:
        return Standing.NONE
    if known is None:
        return Standing.UNRECORDED
    if known.public == public:
        return Standing.KNOWN
    return Standing.FOLLOWS if follows(known.public, links, public, signed_by) else Standing.REPLACED


def _counts(event: str, public: str, old: str, proof: Any, found: Recorded | None, signed_by: SignedBy) -> bool:
    if not public or (found is None) != (event == SET) or (found is not None and found.public != old):
        return False
    if event == CHANGED:
        links = [(str(p[0]), str(p[1])) for p in proof if len(p) == 2] if isinstance(proof, list) else []
        return bool(follows(old, links, public, signed_by))
    return event == SET or signed_by(public, accepting_message(old, public), str(proof))


def _message(what: str, old: str, new: str) -> bytes:
    text = json.dumps({"old": old, "new": new}, sort_keys=True, separators=(",", ":"))
    return f"homelab-mcp approver 1 {what}\n{text}".encode()
