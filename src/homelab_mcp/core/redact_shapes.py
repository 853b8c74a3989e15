"""What looks like a secret by its shape or by the name in front of it."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator

from homelab_mcp.core.redact_forms import MASK

_KEY = r"[A-Z0-9 ]{0,40}PRIVATE KEY[A-Z ]{0,10}"
_KEY_BLOCK = re.compile(rf"-----BEGIN ({_KEY})-----.*?(?:-----END \1-----|\Z)", re.DOTALL)
_KEY_END = re.compile(rf"-----END {_KEY}-----")
_URL_LOGIN = re.compile(r"\b([a-z][a-z0-9+.-]{1,30}://)([^\s/:@'\"]{0,256}):([^\s/@'\"]{1,256})@", re.IGNORECASE)
_BEARER = re.compile(r"\b(bearer|basic)(\s+)([A-Za-z0-9+/=_~.-]{8,})", re.IGNORECASE)
_ASSIGNED = re.compile(
    r"(?P<name>(?:passw(?:or)?d|passphrase|secret|token|api[_-]?key|private[_-]?key|access[_-]?key|"
    r"credentials?)[A-Za-z0-9_-]{0,20}[\"']?\s{0,3}[=:]\s{0,3})"
    r"(?P<value>\"(?!\$\{)[^\"\n]{1,4096}\"|'(?!\$\{)[^'\n]{1,4096}'|(?!\$\{|\?)[^\s\"',;&}{]{1,4096})",
    re.IGNORECASE,
)
_PLACE = re.compile(r"(?:path|file|dir)[\"']?\s{0,3}[=:]", re.IGNORECASE)
_TOKENS = re.compile(
    r"\b(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}|glpat-[A-Za-z0-9_-]{16,}|A[KS]IA[0-9A-Z]{16}|"
    r"xox[abeoprs]-[A-Za-z0-9-]{10,}|[sr]k_(?:live|test)_[A-Za-z0-9]{16,}|sk-[A-Za-z0-9_-]{20,}|AIza[A-Za-z0-9_-]{35}|"
    r"npm_[A-Za-z0-9]{36}|dckr_pat_[A-Za-z0-9_-]{20,}|tskey-[a-z]+-[A-Za-z0-9-]{16,}|hvs\.[A-Za-z0-9_-]{20,}|"
    r"SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}|pypi-[A-Za-z0-9_-]{40,}|\d{8,10}:AA[A-Za-z0-9_-]{33}|"
    r"AGE-SECRET-KEY-1[A-Z0-9]{50,}|eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{4,})"
)
_D = r"\${1,2}"
_HASH = re.compile(
    rf"{_D}1{_D}[./0-9A-Za-z]{{0,16}}{_D}[./0-9A-Za-z]{{22}}(?![0-9A-Za-z])|"
    rf"{_D}[56]{_D}(?:rounds=\d{{1,9}}{_D})?[^$\s:]{{0,16}}{_D}[./0-9A-Za-z]{{22,1024}}|"
    rf"{_D}2[abxy]{_D}\d\d{_D}[./0-9A-Za-z]{{20,1024}}|"
    rf"{_D}g?y{_D}[./0-9A-Za-z]{{1,16}}{_D}[./0-9A-Za-z]{{0,86}}{_D}[./0-9A-Za-z]{{20,1024}}|"
    rf"{_D}(?:apr1|argon2(?:id|i|d)|scrypt|pbkdf2(?:-sha\d{{1,3}})?){_D}[A-Za-z0-9./=,+$-]{{20,1024}}"
)
"""A password's hash as crypt(5) and its kin write it; in compose files each dollar sign is doubled.

By its whole form: ``$1$request_uri/...`` in a proxy's rule is two groups of an address.
"""
_FLAG = (
    r"(?<![\w-])--?(?:(?!(?:no|disable|without|skip)-)[a-z0-9]{1,20}-){0,4}(?:requirepass|passw(?:or)?d|passphrase|pass|"
    r"secret|token|api[_-]?key|auth[_-]?key|private[_-]?key|access[_-]?key)"
)
# No possessive quantifier of a group: Python before 3.11.5 matches those wrongly (its issue 106052).
_QUOTED = r"(?:(?P<double>\")|(?P<single>'))"
_IN_QUOTES = r"(?(double)(?:[^\"\\\n]|\\[^\n]){1,4096}|(?(single)(?:[^'\n]|''){1,4096}|"
_OPTION = re.compile(
    rf"(?P<name>{_FLAG}(?:[\"'](?:\s{{0,3}},\s{{0,80}}|[ \t]{{1,3}})(?=[\"'])|[ \t]{{1,3}}(?=[\"'])|"
    rf"=|\s{{1,3}}(?=[^\s\"'])(?=\S{{0,60}}\d)){_QUOTED}?)"
    rf"(?P<value>(?![-$]){_IN_QUOTES}[^\s\"',\]]{{4,4096}})))",
    re.IGNORECASE,
)
"""An option and its value as two words of a list or a line; without quotes in a line only where the value has a digit,
since "--token is" may be prose."""
_NOTED = (
    r"(?:[+-]?[ \t\r]{0,40}+(?:#[^\n]{0,200}+)?\n|"
    rf"-[ \t]{{0,40}}+-[ \t]{{1,3}}[\"']?{re.escape(MASK)}[\"']?[ \t\r]{{0,3}}\n){{0,5}}"
)
_ITEM = re.compile(
    rf"(?P<name>-[ \t]{{1,3}}[\"']?{_FLAG}[\"']?[ \t\r]{{0,3}}(?:#[^\n]{{0,200}}+)?\n{_NOTED}"
    rf"[+-]?[ \t]{{0,40}}-[ \t]{{1,3}}{_QUOTED}?)"
    rf"(?P<value>(?![-$]){_IN_QUOTES}(?=[^\n]{{4}})(?:[^\n\"'#]|(?<=\S)[\"'#]){{1,4096}})))",
    re.IGNORECASE,
)
"""The same as two items of a list, each on its line, in a diff too; comments may stand between them, and in a diff the
value before."""
_ODD = re.compile(r"[A-Za-z0-9+/=_~.!@#%^*-]{20,}")
_DIGEST = re.compile(
    r"(?:.*@)?sha(?:256|384|512)[:-].*|[A-Za-z0-9.-]+(?:/[A-Za-z0-9._-]+)+(?::[\w.-]+)?(?:@sha256:\S+)?"
)

# Plain searches before the patterns: most text has none of these, and the patterns look at every character.
_LOGIN_HINT = re.compile(r"://[^\s/:@'\"]{0,256}:[^\s/@'\"]{1,256}@")
_TOKEN_HINTS = (
    *("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "AKIA", "ASIA", "xox", "k_live_", "k_test_"),
    *("sk-", "AIza", "npm_", "dckr_pat_", "tskey-", "hvs.", "SG.", "pypi-", ":AA", "AGE-SECRET-KEY-1", "eyJ"),
)
_NAME_HINTS = ("passw", "passphrase", "secret", "token", "api", "private", "access", "credential")
_FLAG_HINTS = ("pass", "secret", "token", "key")
_KEY_LINE = re.compile(r"\s*(?:\}⟦[0-9a-f]{1,32}:\d{1,9}⟧)?\s*[A-Za-z0-9+/=]{1,100}\s*")
_KEY_LINES = 400

RANDOM_BITS = 4.0
"""Bits per character, by its own characters' frequencies, above which a long text looks random."""


def mask_shapes(text: str, *, named: bool = True) -> str:
    """The text with key blocks, passwords in URLs and tokens of known services masked.

    Args:
        text: any text.
        named: also what follows a name such as ``password=``, and ``Bearer``. Not for text of another syntax, such as
            JSON, whose own marks might go as well.
    """
    if "-----" in text:
        text = _KEY_BLOCK.sub(MASK, text)
        if "-----END" in text:
            text = _mask_tails(text)
    if _LOGIN_HINT.search(text):
        text = _URL_LOGIN.sub(rf"\1\2:{MASK}@", text)
    if any(hint in text for hint in _TOKEN_HINTS):
        text = _TOKENS.sub(MASK, text)
    if "$" in text:
        text = _HASH.sub(MASK, text)
    if not named:
        return text
    low = text.lower()
    if "bearer" in low or "basic" in low:
        text = _BEARER.sub(_mask_bearer, text)
        low = text.lower()
    if "-" in text and any(hint in low for hint in _FLAG_HINTS):
        text = _ITEM.sub(_mask_value, _OPTION.sub(_mask_value, text))
        if "\n+" in text:
            text = _ITEM.sub(_mask_value, text)
        low = text.lower()
    if len(low) != len(text):
        return _ASSIGNED.sub(_mask_value, text)
    return _mask_named(text, low)


def _mask_tails(text: str) -> str:
    """Mask the encoded lines before the end of a private key whose head was cut off."""
    pieces: list[str] = []
    done = 0
    for match in _KEY_END.finditer(text):
        start = max(text.rfind("\n", done, match.start()) + 1, done)
        for _ in range(_KEY_LINES):
            before = max(text.rfind("\n", done, start - 1) + 1, done) if start - 1 > done else done
            if start - 1 <= done or not _KEY_LINE.fullmatch(text, before, start - 1):
                break
            start = before
        pieces += [text[done:start], MASK]
        done = match.end()
    return "".join([*pieces, text[done:]]) if pieces else text


def _mask_named(text: str, low: str) -> str:
    """As ``_ASSIGNED.sub``, tried only where a name can begin."""
    places = set()
    for hint in _NAME_HINTS:
        at = low.find(hint)
        while at >= 0:
            places.add(at)
            at = low.find(hint, at + 1)
    pieces: list[str] = []
    done = 0
    for at in sorted(places):
        match = _ASSIGNED.match(text, at) if at >= done else None
        if match:
            pieces += [text[done:at], _mask_value(match)]
            done = match.end()
    return "".join([*pieces, text[done:]]) if pieces else text


def looks_random(value: str) -> bool:
    """Whether a value is one long random word: 20 characters and more than 4 bits each, and no digest or path."""
    return bool(_ODD.fullmatch(value)) and bits(value) > RANDOM_BITS and not _DIGEST.fullmatch(value)


def has_token(value: str) -> bool:
    """Whether the value holds a private key, a password in a URL, or a token of a known service."""
    return mask_shapes(value, named=False) != value


def bits(value: str) -> float:
    """Shannon entropy in bits per character."""
    size = len(value)
    return -sum(n / size * math.log2(n / size) for n in Counter(value).values()) if size else 0.0


def marked_lines(text: str) -> Iterator[tuple[int, str]]:
    """(line number, matched text) of what should not stand in a file that others read: keys, tokens, log-ins.

    After a name such as ``password:`` only what looks random counts: such names stand before ordinary words too.
    """
    for pattern in (_KEY_BLOCK, _TOKENS, _URL_LOGIN):
        for match in pattern.finditer(text):
            if "${" not in match[0] and MASK not in match[0]:
                yield text.count("\n", 0, match.start()) + 1, match[0]
    for match in _ASSIGNED.finditer(text):
        value = match["value"].strip("\"'")
        # private_key_path: /var/lib/app/noise.key says where a secret is, and not what it is.
        if _PLACE.search(match["name"]) and value.startswith(("/", "./")):
            continue
        if looks_random(value) and "${" not in value:
            yield text.count("\n", 0, match.start()) + 1, value


def open_key(text: str) -> int:
    """Where a private key begins whose end has not come yet; -1 where there is none."""
    for match in _KEY_BLOCK.finditer(text):
        if match.end() == len(text) and not text.rstrip().endswith(f"-----END {match[1]}-----"):
            return match.start()
    return -1


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
