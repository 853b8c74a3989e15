"""Passwords that everybody knows: placeholders of guides, and those that every list begins with."""

from __future__ import annotations

import re

_COMMON = frozenset(
    {"password", "passw0rd", "password1", "password123", "secret", "supersecret", "admin", "admin123"}
    | {"123456", "12345678", "123456789", "qwerty", "letmein", "test", "test123", "example", "default"}
    | {"root", "toor", "pass"}
    | {"mysecretpassword", "mypassword", "postgres", "mysql", "mariadb", "redis", "user", "homelab", "welcome"}
)
_PLACEHOLDER = re.compile(
    r"(?:please[-_ ]?)?change[-_ ]?(?:me|this|it)[-_ !0-9]*|change[-_ ].*|.*[-_ ]change[-_ ]?me"
    r"|replace[-_ ]?(?:me|this).*"
    r"|(?:your|my|some|insert)[-_ ].*(?:password|secret|key|token|here).*|<[^<>]*>|x{4,}|todo|placeholder"
    r"|example[-_ ].*"
)


def everybody_knows(value: str) -> bool:
    """Whether a password is a placeholder, or one of those that are tried first."""
    text = value.strip().lower()
    return text in _COMMON or bool(_PLACEHOLDER.fullmatch(text))
