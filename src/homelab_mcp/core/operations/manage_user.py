"""People who may log in: add, remove, disable, enable, change groups, give a new password."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from pydantic import Field

from homelab_mcp.core.access import all_routes
from homelab_mcp.core.authelia import Portal, configuration, the_portal
from homelab_mcp.core.operations.lab_view import LabView, view
from homelab_mcp.core.operations.request import _Request
from homelab_mcp.core.users_file import USERS, User, add_user, change_user, remove_user, users_of
from homelab_mcp.model.errors import InvalidInput, NotFound
from homelab_mcp.model.lab import LabSettings
from homelab_mcp.model.observed import Snapshot
from homelab_mcp.model.plan import ActionKind, Draft, EngineAction, FileEdit, Risk, RiskReason, Verification

Action = Literal["add", "remove", "disable", "enable", "groups", "reset_password"]

NEEDS_PASSWORD = frozenset({"add", "reset_password"})
ADMINS = "admins"
NONE = "none"


class ManageUserRequest(_Request):
    """What is to happen to one person; a name, groups and an address are checked against the users file's rules."""

    action: Action
    name: str = Field(min_length=1, max_length=64)
    displayname: str = Field(default="", max_length=100, description="For add; the name when empty.")
    email: str = Field(default="", max_length=254, description="For add; the name at the lab's domain when empty.")
    groups: tuple[str, ...] = Field(
        default=(), max_length=20, description="For add and groups: all groups of theirs; none alone: no group."
    )

    @property
    def wanted(self) -> tuple[str, ...]:
        """The groups asked for; ``none`` alone is the word for no group, as nothing said may be a slip."""
        return () if self.groups == (NONE,) else self.groups


def manage_user(
    snapshot: Snapshot,
    settings: LabSettings,
    request: ManageUserRequest,
    *,
    read: Callable[[str], str | None],
    password_hash: str = "",
) -> Draft:
    """A draft that changes one person in Authelia's users file, and nothing else in it.

    Args:
        snapshot: the lab as it is.
        settings: the lab's.
        request: who, and what.
        read: the text of a file of the lab, or None.
        password_hash: Argon2id hash of the new password, for add and reset_password.

    Raises:
        NotFound: no Authelia (``no_sign_on``), no users file (``no_users_file``), no such user (``user_unknown``).
        InvalidInput: ``user_exists``, ``last_user``, ``bad_name``, ``bad_value``, ``bad_users_file``,
            ``nothing_to_do``, ``groups_missing`` (which groups is not said: that would take all away).
        EditRefused: the file cannot be changed without touching others.
    """
    lab = view(snapshot)
    portal = the_portal(lab)
    if request.action == "groups" and not request.groups:
        raise InvalidInput(
            "It is not said which groups.",
            code="groups_missing",
            hint=f"Give all groups that {request.name} is to have; the word {NONE} alone takes all away.",
        )
    path = portal.path(USERS)
    before = read(path)
    if before is None:
        raise NotFound(
            f"There is no {path}.", hint="People are kept elsewhere (LDAP?); manage them there.", code="no_users_file"
        )
    after = _changed(before, request, settings, password_hash)
    if after == before:
        raise InvalidInput(f"{request.name} already is as asked.", hint="No plan is needed.", code="nothing_to_do")
    restart = _restart(portal, read)
    return Draft(
        operation="manage_user",
        summary=_summary(request),
        edits=(FileEdit(path, before, after, mode=0o600, secret=True),),
        actions=restart,
        verification=Verification(portal.service.stack, (portal.service.name,)) if restart else Verification(),
        risks=tuple(_risks(request, before)),
        notes=tuple(_notes(request, lab, settings, portal)),
        undo="Roll this plan back.",
        target=request.name,
        secrets=(password_hash,) if password_hash else (),
    )


def _changed(text: str, request: ManageUserRequest, settings: LabSettings, password_hash: str) -> str:
    name = request.name
    match request.action:
        case "add":
            user = User(
                name,
                request.displayname or name,
                request.email or f"{name.partition('@')[0]}@{settings.domain}",
                request.wanted,
                disabled=False,
            )
            return add_user(text, user, password_hash)
        case "remove":
            return remove_user(text, name)
        case "groups":
            return change_user(text, name, groups=request.wanted)
        case "reset_password":
            return change_user(text, name, password=password_hash)
        case "disable" | "enable":
            return change_user(text, name, disabled=request.action == "disable")


def _restart(portal: Portal, read: Callable[[str], str | None]) -> tuple[EngineAction, ...]:
    """Authelia reads the file again by itself where it is told to watch it."""
    try:
        backend = configuration(read, portal).get("authentication_backend")
    except InvalidInput:
        backend = None
    file = backend.get("file") if isinstance(backend, dict) else None
    if isinstance(file, dict) and file.get("watch") is True:
        return ()
    why = "It reads its users only when it starts (authentication_backend.file.watch is off)."
    return (EngineAction(ActionKind.RESTART, why, portal.service.stack, (portal.service.name,)),)


def _summary(request: ManageUserRequest) -> str:
    groups = f", groups {', '.join(request.wanted)}" if request.wanted else ""
    return {
        "add": f"Add user {request.name}{groups}",
        "remove": f"Remove user {request.name}",
        "disable": f"Disable user {request.name}",
        "enable": f"Enable user {request.name}",
        "groups": f"User {request.name}: groups {', '.join(request.wanted) or 'none'}",
        "reset_password": f"New password for user {request.name}",
    }[request.action]


def _risks(request: ManageUserRequest, before: str) -> list[RiskReason]:
    old = next((u for u in users_of(before) if u.name == request.name), None)
    gained = set(request.wanted) - set(old.groups if old else ())
    match request.action:
        case "add":
            found = [RiskReason(Risk.HIGH, f"{request.name} may log in to the lab.")]
        case "enable":
            found = [RiskReason(Risk.HIGH, f"{request.name} may log in to the lab again.")]
        case "reset_password":
            found = [RiskReason(Risk.HIGH, f"Whoever reads the new password logs in as {request.name}.")]
        case "groups":
            worst = Risk.HIGH if gained else Risk.MEDIUM
            found = [RiskReason(worst, f"Changes what {request.name} may reach.")]
        case _:
            found = [RiskReason(Risk.MEDIUM, f"{request.name} cannot log in any more.")]
    if ADMINS in gained and request.action in ("add", "groups"):
        found.append(RiskReason(Risk.HIGH, f"{request.name} becomes an administrator."))
    return found


def _notes(request: ManageUserRequest, lab: LabView, settings: LabSettings, portal: Portal) -> list[str]:
    notes = []
    if request.action == "remove":
        notes.append(
            "Second factors stay in Authelia's database; a new user of that name would have them. To delete them: "
            f"docker exec {portal.service.name} authelia storage user totp delete {request.name}"
        )
    named = {g for route in all_routes(lab, settings) for g in route.groups}
    unused = sorted(set(request.wanted) - named - {ADMINS})
    if unused and request.action in ("add", "groups"):
        notes.append(f"No service asks for {', '.join(unused)} yet; set_access_policy does that.")
    return notes
