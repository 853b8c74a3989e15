"""Redaction: takes secrets and control characters out of text before anyone reads it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from homelab_mcp.core.redact_forms import MASK, SHORTEST, Known, known
from homelab_mcp.core.redact_shapes import has_token, marked_lines, mask_shapes

PUBLIC_NAMES = frozenset({"DOMAIN", "TZ", "PUID", "PGID", "MEDIA_DIR", "DOWNLOADS_DIR"})
"""Lab settings that stand in every ``.env``; they are in git by ``homelab.yaml`` anyway."""

_PUBLIC_WORDS = re.compile(
    r"USER(NAME)?|NAME|HOST(NAME)?|PORTS?|(SUB)?DOMAINS?|DB|DATABASE|DIR|PATH|TZ|TIMEZONE|[PU]?[UG]ID|LANG|LANGUAGE|LOCALE|"
    r"VERSION|TAG|LEVEL|MODE|ENABLED?|TYPE|PROVIDER|COUNTR(Y|IES)|CITIES|REGION|INTERFACE"
)
# AUTH as part of a product's name, of who may read by default, or of the kind of log-in, says nothing of a secret.
_SECRET_WORDS = re.compile(
    r"PASS|SECRET|TOKEN|KEY|CRED|(?<!NEXT)AUTH(?!ELIA|ENTIK|_DEFAULT_ACCESS|_TYPE$)|PRIVATE|SALT|HASH|PIN|SEED|COOKIE|WEBHOOK|DSN",
    re.IGNORECASE,
)

_ANSI = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]{0,4096}(?:\x07|\x1b\\)?|[PX^_][^\x1b]{0,4096}(?:\x1b\\)?|[ -/]*[0-~])"
)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0"
    "\U000e0000-\U000e0fff]"
)
_PLAIN = re.compile(
    r"[a-z]{1,12}|(?:true|false|yes|no|on|off|null|none)|\d{1,9}(?:\.\d+)?(?:[smhdwkMGT]i?[bB]?)?|/[A-Za-z0-9._/-]*|"
    r"\d{1,3}(?:\.\d{1,3}){3}(?:/\d{1,2})?(?::\d{1,5})?|https?://[a-z0-9.:-]+(?:/[a-z0-9._/-]{0,60})?",
    re.IGNORECASE,
)
# Paths, or a service's own address. No repeat within a repeat: a random value that begins with / must not take years.
_PLACE = re.compile(r"(?:/[A-Za-z0-9._-]+)+/?(?:[,:](?:/[A-Za-z0-9._-]+)+/?)*|https?://[A-Za-z0-9.-]+(?::\d+)?/?")
_NAMES = re.compile(r"[a-z][a-z0-9_]{0,40}")


def clean(text: str) -> str:
    """The text without terminal sequences, control characters (but tab and newline), bidi and zero-width marks."""
    text = _ANSI.sub("", text.replace("\r\n", "\n"))
    return _INVISIBLE.sub("", _CONTROL.sub("", text))


class Redactor:
    """Masks a lab's known values, in each form they travel in, and what looks like a secret.

    Made from a set of values once, used for everything that leaves until they change.
    """

    def __init__(self, values: Iterable[str] = ()) -> None:
        self.values = frozenset(values)
        self.known = Known(self.values)

    def redact(self, text: str, *, named: bool = True) -> str:
        """The text masked; ``named`` as in :func:`redact_shapes.mask_shapes`."""
        return mask_shapes(self.known.mask(text), named=named)

    def safe(self, text: str) -> str:
        """Masked and cleaned text, for anything that came from a container, a file or another program.

        Masked before and after the cleaning: a mark that is invisible may be part of a secret, or be put into one.
        """
        masked = self.redact(text)
        cleaned = clean(masked)
        return cleaned if cleaned == masked else self.redact(cleaned)

    def data(self, value: Any, keep: Collection[str] = ()) -> Any:
        """JSON-like data with every text in it masked, names of fields too unless they are plain words.

        By known values and unmistakable shapes: what follows a name such as ``password:`` in this program's own words
        is mostly a word. Text from outside goes through :meth:`safe` before it becomes data.

        Args:
            value: dicts, lists and texts; anything else is given back as it is.
            keep: names of fields whose values are left alone.
        """
        if isinstance(value, str):
            return self.redact(value, named=False)
        if isinstance(value, Mapping):
            return {self._name(k): v if k in keep else self.data(v, keep) for k, v in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.data(one, keep) for one in value]
        return value

    def _name(self, name: Any) -> Any:
        return name if not isinstance(name, str) or _NAMES.fullmatch(name) else self.redact(name, named=False)

    def secret_lines(self, text: str) -> list[tuple[int, str]]:
        """(line number, matched text) of every secret in a text that others will read, known or by its shape."""
        spans = [(text.count("\n", 0, a) + 1, text[a:b]) for a, b in self.known.spans(text)]
        return sorted({*spans, *marked_lines(text)})


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """The text with secrets masked: first the known values, in each form they travel in, then what looks like one.

    Args:
        text: any text.
        secrets: known values; those under 6 characters are left to the patterns.
    """
    return mask_shapes(known(tuple(secrets)).mask(text))


def safe(text: str, secrets: Iterable[str] = ()) -> str:
    """Redacted and cleaned text; as :meth:`Redactor.safe`."""
    values = tuple(secrets)
    return redact(clean(redact(text, values)), values)


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


def telling_values(pairs: Iterable[tuple[str, str]], *, named_only: bool = False) -> Iterator[str]:
    """The values that are searched for in everything that leaves, of a lab's variables by (name, value).

    A name that says secret makes any value of 6 characters one; a name that says setting makes none. Of all other
    names a value counts unless it is plainly a setting: a word in letters, a number, a path, an address.

    Args:
        pairs: names and values.
        named_only: only names that say secret (for a container's variables, most of which come from its image).
    """
    for name, value in pairs:
        if len(value) < SHORTEST:
            continue
        if "://" in value and has_token(value):
            yield value
        elif is_secret_name(name) and not is_public_name(name):
            if not _PLACE.fullmatch(value):
                yield value
        elif not named_only and not is_public_name(name) and not _PLAIN.fullmatch(value):
            yield value


__all__ = [
    "MASK",
    "PUBLIC_NAMES",
    "SHORTEST",
    "Redactor",
    "clean",
    "env_pairs",
    "is_public_name",
    "is_secret_name",
    "redact",
    "safe",
    "secret_values",
    "telling_values",
]
