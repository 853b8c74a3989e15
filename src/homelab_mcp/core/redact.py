"""Redaction: takes secrets and control characters out of text before anyone reads it."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

MASK = "[redacted]"
SHORTEST = 6
"""Values below this length are not searched for: they would match ordinary words."""

PUBLIC_NAMES = frozenset({"DOMAIN", "TZ", "PUID", "PGID", "MEDIA_DIR", "DOWNLOADS_DIR"})
"""Lab settings that stand in every ``.env``; they are in git by ``homelab.yaml`` anyway."""

_PUBLIC_WORDS = re.compile(
    r"USER(NAME)?|NAME|HOST(NAME)?|PORT|DB|DATABASE|DOMAIN|SUBDOMAIN|DIR|PATH|TZ|TIMEZONE|[PU]?[UG]ID|LANG|LANGUAGE|LOCALE|"
    r"VERSION|TAG|LEVEL|MODE|ENABLED?|TYPE|PROVIDER|COUNTR(Y|IES)|CITIES|REGION|INTERFACE"
)
_SECRET_WORDS = re.compile(
    r"PASS|SECRET|TOKEN|KEY|CRED|AUTH|PRIVATE|SALT|HASH|PIN|SEED|COOKIE|WEBHOOK|DSN", re.IGNORECASE
)

_ANSI = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]{0,4096}(?:\x07|\x1b\\)?|[PX^_][^\x1b]{0,4096}(?:\x1b\\)?|[ -/]*[0-~])"
)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0"
    "\U000e0000-\U000e0fff]"
)
_KEY_BLOCK = re.compile(
    r"-----BEGIN ([A-Z0-9 ]{0,40}PRIVATE KEY[A-Z ]{0,10})-----.*?(?:-----END \1-----|\Z)", re.DOTALL
)
_URL_LOGIN = re.compile(r"\b([a-z][a-z0-9+.-]{1,30}://)([^\s/:@'\"]{0,256}):([^\s/@'\"]{1,256})@", re.IGNORECASE)
_BEARER = re.compile(r"\b(bearer|basic)(\s+)([A-Za-z0-9+/=_~.-]{8,})", re.IGNORECASE)
_ASSIGNED = re.compile(
    r"(?P<name>(?:passw(?:or)?d|passphrase|secret|token|api[_-]?key|private[_-]?key|access[_-]?key|"
    r"credentials?)[A-Za-z0-9_-]{0,20}[\"']?\s{0,3}[=:]\s{0,3})"
    r"(?P<value>\"(?!\$\{)[^\"\n]{1,4096}\"|'(?!\$\{)[^'\n]{1,4096}'|(?!\$\{|\?)[^\s\"',;&}{]{1,4096})",
    re.IGNORECASE,
)
_TOKEN_SHAPES = re.compile(
    r"\b(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}|glpat-[A-Za-z0-9_-]{16,}|AKIA[0-9A-Z]{16}|"
    r"xox[abprs]-[A-Za-z0-9-]{10,}|sk-[A-Za-z0-9_-]{20,}|eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{4,})"
)


def clean(text: str) -> str:
    """The text without terminal sequences, control characters (but tab and newline), bidi and zero-width marks."""
    text = _ANSI.sub("", text.replace("\r\n", "\n"))
    return _INVISIBLE.sub("", _CONTROL.sub("", text))


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """The text with secrets masked: first the known values, in each form they travel in, then what looks like one.

    Args:
        text: any text.
        secrets: known values; those under 6 characters are left to the patterns.
    """
    for form in _forms(secrets):
        text = text.replace(form, MASK)
    text = _KEY_BLOCK.sub(MASK, text)
    text = _URL_LOGIN.sub(rf"\1\2:{MASK}@", text)
    text = _BEARER.sub(_mask_bearer, text)
    text = _TOKEN_SHAPES.sub(MASK, text)
    return _ASSIGNED.sub(_mask_value, text)


def safe(text: str, secrets: Iterable[str] = ()) -> str:
    """Redacted and cleaned text, for anything that came from a container, a file or another program.

    Masked before and after the cleaning: a mark that is invisible may be part of a secret, or be put into one.
    """
    known = tuple(secrets)
    return redact(clean(redact(text, known)), known)


def secret_values(env_text: str) -> tuple[str, ...]:
    """The values of a ``.env`` text that count as secret: all but those whose name says they are ordinary settings."""
    pairs = env_pairs(env_text)
    return tuple(dict.fromkeys(value for name, value in pairs if len(value) >= SHORTEST and not is_public_name(name)))


def is_public_name(name: str) -> bool:
    """Whether a variable's name says that its value is an ordinary setting, such as a user, host, port or folder."""
    last = name.rsplit("_", 1)[-1].upper()
    return name in PUBLIC_NAMES or bool(_PUBLIC_WORDS.fullmatch(last) and not _SECRET_WORDS.search(name))


def is_secret_name(name: str) -> bool:
    """Whether a variable's name says that its value is a secret; a name may be neither public nor secret."""
    return bool(_SECRET_WORDS.search(name)) and name not in PUBLIC_NAMES


def env_pairs(env_text: str) -> list[tuple[str, str]]:
    """(name, value) of each assignment in a ``.env`` text, by a tolerant reading: for masking, not for meaning."""
    pairs = []
    for line in env_text.splitlines():
        name, equals, value = line.strip().removeprefix("export ").partition("=")
        name = name.strip()
        if not equals or not name or name.startswith("#"):
            continue
        value = value.strip()
        if value[:1] in {"'", '"'}:
            end = value.rfind(value[0], 1)
            value = value[1:end] if end > 0 else value[1:]
        else:
            value = value.split(" #", 1)[0].rstrip()
        pairs.append((name, value))
    return pairs


def _forms(secrets: Iterable[str]) -> list[str]:
    forms: set[str] = set()
    for value in secrets:
        if len(value) < SHORTEST:
            continue
        raw = value.encode("utf-8", "replace")
        forms |= {
            value,
            quote(value, safe=""),
            quote_plus(value),
            value.replace("$", "$$"),
            value.replace("\\", "\\\\"),
        }
        forms |= {base64.b64encode(raw).decode().rstrip("="), base64.urlsafe_b64encode(raw).decode().rstrip("=")}
        forms |= {line for line in value.splitlines() if len(line) >= SHORTEST}
    return sorted(forms, key=lambda f: (-len(f), f))


def _mask_bearer(match: re.Match[str]) -> str:
    # "basic settings" is prose; a credential has a digit, an upper-case letter or padding in it.
    if re.fullmatch(r"[a-z]+[.-]?", match[3]):
        return match[0]
    return f"{match[1]}{match[2]}{MASK}"


def _mask_value(match: re.Match[str]) -> str:
    value = match["value"]
    if MASK in value or value in {"[redacted", "null", "true", "false"}:
        return match[0]
    return f"{match['name']}{MASK}"
