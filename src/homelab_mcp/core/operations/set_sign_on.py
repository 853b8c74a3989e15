"""Change how log-in itself works: how long a session lasts, and how Authelia reaches people."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from homelab_mcp.core import env_file, yaml_put
from homelab_mcp.core.authelia import CONFIGURATION, Portal, configuration, keeps_sessions, the_portal
from homelab_mcp.core.operations.lab_view import view
from homelab_mcp.core.operations.request import _Request
from homelab_mcp.core.service_edit import ServiceEdit
from homelab_mcp.core.yaml12 import Path, load
from homelab_mcp.model.errors import EditRefused, InvalidInput, NotFound, asks
from homelab_mcp.model.lab import LabSettings
from homelab_mcp.model.observed import Snapshot
from homelab_mcp.model.plan import ActionKind, Draft, EngineAction, FileEdit, Risk, RiskReason, Verification

MAIL_PASSWORD = "AUTHELIA_NOTIFIER_SMTP_PASSWORD"  # noqa: S105 - the variable's name
_FILE = "/config/notification.txt"
# Authelia 4.39, docs/content/configuration/prologue/common.md: durations; the schema's own pattern is the same.
_UNIT = r"(?:y|M|w|d|h|m|s|ms|(?:year|month|week|day|hour|minute|second|millisecond)s?)"
_DURATION = re.compile(rf"\d{{1,6}}\s*{_UNIT}(?:\s*(?:and\s+)?\d{{1,6}}\s*{_UNIT})*")
_ADDRESS = re.compile(r"(?:smtp|submission|submissions)://[A-Za-z0-9.\[\]:-]{1,253}")
_SENDER = re.compile(r"(?:[^<>\x00-\x1f]{1,100} <[^<>@\s]+@[A-Za-z0-9.-]+\.[A-Za-z0-9-]+>|[^<>@\s]+@[A-Za-z0-9.-]+)")

Short = Annotated[str, Field(max_length=253)]


class SetSignOnRequest(_Request):
    """What is to change; "" leaves a part as it is. Durations as Authelia writes them: ``1 hour``, ``30m``, ``1M``."""

    inactivity: Short = ""
    expiration: Short = ""
    remember_me: Short = ""
    notify: Literal["keep", "file", "smtp"] = "keep"
    mail_address: Short = Field(default="", description="submissions://smtp.example.org:465")
    mail_sender: Short = Field(default="", description="Lab <lab@example.org>")
    mail_username: Short = ""


def set_sign_on(
    snapshot: Snapshot, settings: LabSettings, request: SetSignOnRequest, *, read: Callable[[str], str | None]
) -> Draft:
    """A draft that edits Authelia's ``configuration.yml`` without loss and restarts it.

    The password of the mail account stays in the stack's ``.env``, where a person puts it.

    Raises:
        NotFound: no Authelia, or no ``configuration.yml`` (``no_configuration``).
        InvalidInput: a value that Authelia would refuse (``bad_value``), mail that lacks something
            (``missing_input``), or nothing to do.
        EditRefused: the file cannot be changed without touching other lines.
    """
    lab = view(snapshot)
    portal = the_portal(lab)
    path = portal.path(CONFIGURATION)
    before = read(path)
    if before is None:
        raise NotFound(f"There is no {path}.", hint="Authelia is set up elsewhere.", code="no_configuration")
    data = configuration(read, portal)
    _check(request)
    after = _sessions(before, data, request, settings.domain)
    after = _notifier(after, data, request)
    stack = snapshot.stack(portal.service.stack)
    compose = stack.compose_text if stack else ""
    text = compose
    if request.notify == "smtp" and (request.mail_username or _username(data)):
        if not env_file.parse_or_empty(stack.env_text if stack else "").get(MAIL_PASSWORD):
            raise InvalidInput(
                "The password of the mail account is not there yet.",
                hint=f"A person runs `homelab-mcp env set {portal.service.stack} {MAIL_PASSWORD}`; then ask again.",
                code="missing_input",
                details=asks(portal.service.stack, [MAIL_PASSWORD]),
            )
        text = (
            ServiceEdit(text, portal.service.name).set_entry("environment", MAIL_PASSWORD, f"${{{MAIL_PASSWORD}}}").text
        )
    edits = [FileEdit(path, before, after)] if after != before else []
    if stack is not None and text != compose:
        edits.append(FileEdit(stack.compose_path, compose, text))
    if not edits:
        raise InvalidInput("It already is as asked.", hint="No plan is needed.", code="nothing_to_do")
    where = (portal.service.stack, (portal.service.name,))
    kind = ActionKind.UP if len(edits) > 1 else ActionKind.RESTART
    return Draft(
        operation="set_sign_on",
        summary=f"Sign-on: {', '.join(_told(request))}",
        edits=tuple(edits),
        actions=(EngineAction(kind, "Authelia reads its configuration only when it starts.", *where),),
        verification=Verification(*where),
        risks=(RiskReason(Risk.HIGH, "Changes the log-in that every protected service stands behind."),),
        notes=() if keeps_sessions(data) else ("Authelia keeps sessions in memory, so everybody logs in again.",),
        undo="Roll this plan back.",
        target=portal.service.name,
    )


def _check(request: SetSignOnRequest) -> None:
    for name in ("inactivity", "expiration", "remember_me"):
        value = getattr(request, name)
        if value and not _DURATION.fullmatch(value):
            raise InvalidInput(
                f"{name} is no duration.", hint="Give one such as 30m, 12 hours or 1M.", code="bad_value"
            )
    if request.notify != "smtp":
        if request.mail_address or request.mail_sender or request.mail_username:
            raise InvalidInput("Mail settings count with notify=smtp only.", hint="Give notify=smtp.", code="bad_value")
        return
    if request.mail_address and not _ADDRESS.fullmatch(request.mail_address):
        raise InvalidInput(
            "mail_address is no mail server's.",
            hint="Give one such as submissions://smtp.example.org:465.",
            code="bad_value",
        )
    if request.mail_sender and not _SENDER.fullmatch(request.mail_sender):
        raise InvalidInput(
            "mail_sender is no address.", hint="Give one such as Lab <lab@example.org>.", code="bad_value"
        )
    if any(ord(c) < 32 or ord(c) == 127 for c in request.mail_username):
        raise InvalidInput("mail_username holds a control character.", code="bad_value")


def _sessions(text: str, data: Mapping[str, Any], request: SetSignOnRequest, domain: str) -> str:
    session = data.get("session")
    cookies = session.get("cookies") if isinstance(session, Mapping) else None
    listed = cookies if isinstance(cookies, list) else []
    mine = next((n for n, c in enumerate(listed) if isinstance(c, Mapping) and c.get("domain") == domain), None)
    for name in ("inactivity", "expiration", "remember_me"):
        value = getattr(request, name)
        if not value:
            continue
        # What a cookie says itself wins over the section.
        own = mine is not None and name in listed[mine]
        path: Path = ("session", "cookies", mine, name) if own and mine is not None else ("session", name)
        text = _put(text, path, value)
    return text


def _notifier(text: str, data: Mapping[str, Any], request: SetSignOnRequest) -> str:
    notifier = data.get("notifier")
    old = dict(notifier) if isinstance(notifier, Mapping) else {}
    if request.notify == "file" and "filesystem" not in old:
        rest = {k: v for k, v in old.items() if k != "smtp"}
        return _put(text, ("notifier",), {**rest, "filesystem": {"filename": _FILE}})
    if request.notify == "smtp":
        smtp = dict(old.get("smtp") or {})
        given = {"address": request.mail_address, "sender": request.mail_sender, "username": request.mail_username}
        smtp |= {k: v for k, v in given.items() if v}
        missing = [k for k in ("address", "sender") if not smtp.get(k)]
        if missing:
            raise InvalidInput(
                f"Mail needs {' and '.join(f'mail_{m}' for m in missing)}.", hint="Give them.", code="missing_input"
            )
        rest = {k: v for k, v in old.items() if k not in ("filesystem", "smtp")}
        return _put(text, ("notifier",), {**rest, "smtp": smtp})
    return text


def _username(data: Mapping[str, Any]) -> str:
    notifier = data.get("notifier")
    smtp = notifier.get("smtp") if isinstance(notifier, Mapping) else None
    return str(smtp.get("username", "")) if isinstance(smtp, Mapping) else ""


def _put(text: str, path: Path, value: Any) -> str:
    wanted = load(text)
    yaml_put.set_in(wanted, path, value)
    after = yaml_put.put(text, path, value)
    if load(after) != wanted:
        raise EditRefused("The configuration would not read back as meant.", code="edit_changed_more")
    return after


def _told(request: SetSignOnRequest) -> list[str]:
    times = [f"{n} {getattr(request, n)}" for n in ("inactivity", "expiration", "remember_me") if getattr(request, n)]
    how = {"keep": [], "file": ["notices go to a file"], "smtp": ["notices go by mail"]}[request.notify]
    return [*times, *how]


__all__ = ["MAIL_PASSWORD", "Portal", "SetSignOnRequest", "set_sign_on"]
