"""Names and scopes of tokens as people type them."""

from __future__ import annotations

import re

from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.token import ALL_SCOPES, STATIC, Scope

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,39}")


def token_name(text: str) -> str:
    """A token's name. Raises InvalidInput (bad_token_name)."""
    if not _NAME.fullmatch(text) or text == STATIC:
        raise InvalidInput(
            f"A token cannot be named {text[:60]!a}.",
            hint="Name it after its client: up to 40 lower-case letters, digits, dots, - and _, such as laptop-vscode.",
            code="bad_token_name",
        )
    return text


def scopes_of(text: str) -> tuple[Scope, ...]:
    """Scopes of a comma-separated list, in their own order. Raises InvalidInput (bad_scope)."""
    words = {word.strip() for word in text.split(",") if word.strip()}
    known = {str(scope) for scope in ALL_SCOPES}
    if not words or words - known:
        what = f"There is no scope {sorted(words - known)[0][:60]!a}." if words else "A token needs a scope."
        raise InvalidInput(what, hint=f"Scopes: {', '.join(ALL_SCOPES)}.", code="bad_scope")
    return tuple(scope for scope in ALL_SCOPES if scope in words)
