"""How a call says who it is from: the key out of the stack's ``.env``, put where the entry says. Pure."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import quote, urlencode

from homelab_mcp.core.service_api import Rendered, at
from homelab_mcp.model.errors import InvalidInput, asks
from homelab_mcp.model.service_api import Reach
from homelab_mcp.model.service_http import HttpAnswer, HttpAsk
from homelab_mcp.model.service_login import Credential, Session, Ticket

_ONE_WORD = re.compile(r"[\x21-\x7e]{1,2000}")
_LINE = re.compile(r"[^\x00-\x1f\x7f]{1,500}")
_FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Keys:
    """A key or password, and the user it belongs to; "" where there is none."""

    key: str = field(default="", repr=False)
    user: str = ""


def variable_of(credential: Credential, definition: str, service: str) -> str:
    """The variable that holds it; of a second instance (``sonarr-4k``) one of its own (``SONARR_4K_API_KEY``)."""
    prefix = _upper(definition) + "_"
    if service == definition or not definition or not credential.variable.startswith(prefix):
        return credential.variable
    return f"{_upper(service)}_{credential.variable.removeprefix(prefix)}"


def keys_of(reach: Reach, env: Mapping[str, str], stack: str, service: str) -> Keys:
    """The key and user for a service.

    Raises:
        InvalidInput: ``api_key_missing``, with where a person finds it and how it is set; ``api_key_unusable``.
    """
    auth = reach.auth
    if auth.key is None:
        return Keys()
    name = variable_of(auth.key, reach.definition, service)
    key = env.get(name, "")
    if not key and auth.optional:
        return Keys()
    if not key:
        raise InvalidInput(
            f"{stack}/{service} asks for a key, and {name} is not set in {stack}/.env.",
            hint=f"Where it is found: {auth.key.how}. A person sets it in a terminal with "
            f"`homelab-mcp env set {stack} {name}`; it never passes through the chat.",
            code="api_key_missing",
            details={"variable": name, "stack": stack, **asks(stack, [name])},
        )
    fits = _ONE_WORD if auth.kind in ("header", "query") else _LINE
    user = ""
    if auth.user is not None:
        user = env.get(variable_of(auth.user, reach.definition, service), "") or auth.user.default
    if not fits.fullmatch(key) or (user and (not _LINE.fullmatch(user) or (auth.kind == "basic" and ":" in user))):
        raise InvalidInput(
            f"{name} in {stack}/.env does not look like a key.",
            hint=f"A person sets it anew: `homelab-mcp env set {stack} {name}`.",
            code="api_key_unusable",
        )
    return Keys(key, user)


def signed(reach: Reach, rendered: Rendered, keys: Keys, session: Mapping[str, str], seconds: float) -> HttpAsk:
    """The request with its key. ``session`` are the headers of a log-in that came before."""
    auth, target = reach.auth, rendered.target
    headers = {**reach.headers, **session}
    if reach.host:
        headers["Host"] = reach.host
    if rendered.content_type:
        headers["Content-Type"] = rendered.content_type
    if keys.key and auth.kind == "header":
        headers[auth.name] = f"{auth.prefix}{keys.key}{auth.suffix}"
    elif keys.key and auth.kind == "query":
        mark = "&" if "?" in target else "?"
        words = {auth.user_name: keys.user} if auth.user_name else {}
        target = f"{target}{mark}{urlencode({**words, auth.name: keys.key}, quote_via=quote, safe='')}"
    elif keys.key and auth.kind == "basic":
        word = base64.b64encode(f"{keys.user}:{keys.key}".encode()).decode("ascii")
        headers["Authorization"] = f"Basic {word}"
    body = rendered.body.encode() if rendered.body else None
    return HttpAsk(rendered.method, target, headers, body, seconds)


def log_in(reach: Reach, session: Session, keys: Keys) -> HttpAsk:
    """The request that opens a session."""
    fields = {session.password_field: keys.key}
    if session.user_field:
        fields = {session.user_field: keys.user, **fields}
    text = json.dumps(fields) if session.encoding == "json" else urlencode(fields)
    kind = "application/json" if session.encoding == "json" else _FORM
    host = {"Host": reach.host} if reach.host else {}
    return HttpAsk("POST", session.path, {**reach.headers, **host, "Content-Type": kind}, text.encode(), 15.0)


def session_of(session: Session, answer: HttpAnswer) -> dict[str, str]:
    """The headers that go along after a log-in; none where it was refused."""
    if not 200 <= answer.status < 300:
        return {}
    if session.cookie:
        word = answer.headers.get("set-cookie", "").partition(";")[0].strip()
        return {"Cookie": word} if word.startswith(session.cookie) and _ONE_WORD.fullmatch(word) else {}
    token = _token(session, answer)
    ok = isinstance(token, str) and _ONE_WORD.fullmatch(token)
    return {session.header: f"{session.prefix}{token}"} if ok else {}


def _token(session: Session, answer: HttpAnswer) -> object:
    if session.line:
        lines = answer.body.decode("utf-8", "replace").splitlines()
        words = (line.removeprefix(f"{session.line}=").strip() for line in lines if line.startswith(f"{session.line}="))
        return next(words, None)
    try:
        return at(json.loads(answer.body), session.json_path)
    except ValueError:
        return None


def ticket_of(answer: HttpAnswer) -> str:
    """What a service handed out for writes; "" where it did not."""
    word = answer.body.decode("utf-8", "replace").strip() if 200 <= answer.status < 300 else ""
    return word if _ONE_WORD.fullmatch(word) else ""


def with_ticket(rendered: Rendered, ticket: Ticket, word: str) -> Rendered:
    """The request with a ticket in its form; as it is where it has no form."""
    if rendered.content_type.partition(";")[0] != _FORM:
        return rendered
    return replace(rendered, body=f"{rendered.body}&{urlencode({ticket.field: word})}")


def _upper(name: str) -> str:
    return "".join(c if c.isalnum() else "_" for c in name.upper())
