"""Two hundred secrets of many shapes, and the search for them in whatever the program let out."""

from __future__ import annotations

import base64
import json
import random
import shlex
import string
import uuid
from urllib.parse import quote

ODD = "'\"$#\\`&;|<>%!*? =/+@:"
UTF8 = "äßñ漢字é🔑"


def make(count: int = 200, seed: int = 7) -> dict[str, str]:
    """Variable names and values; every shape comes often."""
    rng = random.Random(seed)

    def word(size: int, letters: str = string.ascii_letters + string.digits) -> str:
        return "".join(rng.choice(letters) for _ in range(size))

    def pem() -> str:
        body = base64.b64encode(rng.randbytes(600)).decode()
        lines = "\n".join(body[at : at + 64] for at in range(0, len(body), 64))
        return f"-----BEGIN PRIVATE KEY-----\n{lines}\n-----END PRIVATE KEY-----"

    def token() -> str:
        parts = (json.dumps({"alg": "HS256"}), json.dumps({"sub": word(12)}), word(24))
        return ".".join(base64.urlsafe_b64encode(p.encode()).decode().rstrip("=") for p in parts)

    shapes = (
        ("PASSWORD", lambda: word(8)),
        ("PASSWORD", lambda: word(6) + rng.choice(ODD) + word(4) + rng.choice(ODD) + word(3)),
        ("SECRET", lambda: f"p'w\"d${word(5)}#\\{word(4)}"),
        ("TOKEN", lambda: word(5) + rng.choice(UTF8) + word(6) + rng.choice(UTF8)),
        ("PRIVATE_KEY", pem),
        ("JWT", token),
        ("DATABASE_URL", lambda: f"postgres://app:{word(14)}@db:5432/app"),
        ("ODD", lambda: str(uuid.UUID(int=rng.getrandbits(128)))),
        ("SALT", lambda: rng.randbytes(24).hex()),
        ("API_KEY", lambda: base64.b64encode(rng.randbytes(31) + b"\xff").decode()),
    )
    return {f"C{n:03}_{shapes[n % 10][0]}": shapes[n % 10][1]() for n in range(count)}


def core_of(value: str) -> str:
    """The part that is secret: of a URL, its password."""
    return value.split("://", 1)[1].split("@")[0].split(":", 1)[1] if "://" in value else value


def forms(value: str) -> set[bytes]:
    """Every text that would give the value away; made apart from the program's own list."""
    raw = value.encode()
    found = {raw, quote(value, safe="").encode(), json.dumps(value)[1:-1].encode(), raw.hex().encode()}
    found |= {json.dumps(value, ensure_ascii=False)[1:-1].encode(), shlex.quote(value).strip("'").encode()}
    found |= {value.replace("$", "$$").encode(), repr(value)[1:-1].encode()}
    for before in (b"", b"u", b"us", b"user:"):
        text = base64.b64encode(before + raw).decode()
        start, end = -(-len(before) * 8 // 6), (len(before) + len(raw)) * 8 // 6
        found |= {text[start:end].encode(), base64.urlsafe_b64encode(before + raw).decode()[start:end].encode()}
    if "\n" in value:
        found |= {line.encode() for line in value.splitlines() if not line.startswith("-----")}
    return {form for form in found if len(form) >= 8}


class Hunt:
    """Looks for secrets in bytes; what was looked at is counted, so that an empty hunt does not pass."""

    def __init__(self, values: dict[str, str]) -> None:
        self.forms = {name: forms(core_of(value)) for name, value in values.items()}
        self.bytes = 0
        self.found: list[str] = []

    def look(self, where: str, data: str | bytes) -> None:
        """Note each secret that is in there."""
        raw = data.encode("utf-8", "surrogateescape") if isinstance(data, str) else data
        self.bytes += len(raw)
        for name, known in self.forms.items():
            for form in known:
                if form in raw:
                    at = raw.find(form)
                    self.found.append(f"{where}: {name} as {form[:60]!r} in {raw[max(0, at - 60) : at + 20]!r}")
                    break
