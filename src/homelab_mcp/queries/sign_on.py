"""Who may log in, what each route asks of them, and where Authelia's notices go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from homelab_mcp.core.access import RouteAccess, all_routes
from homelab_mcp.core.authelia import configuration, keeps_sessions, portal_of
from homelab_mcp.core.operations.lab_view import view
from homelab_mcp.core.users_file import USERS, User, users_of
from homelab_mcp.model.errors import InvalidInput, NotFound
from homelab_mcp.model.lab import SETTINGS_FILE
from homelab_mcp.model.observed import Snapshot
from homelab_mcp.ports import Lab
from homelab_mcp.queries.find import read_stacks
from homelab_mcp.queries.on_host import in_view


@dataclass(frozen=True, slots=True)
class SignOn:
    """The lab's log-in as its files have it.

    Args:
        users: everyone in the users file.
        routes: what each host asks; only of services on the Docker host that the lab is seen through.
        portal: ``stack/service`` of Authelia; "" where the lab has none.
        rules_follow: whether Authelia loads the access rules that follow from the routes.
        sessions_last: whether a restart of Authelia logs nobody out.
        notices: where its messages go: a file's path, or ``mail``; "" unknown.
        problems: what could not be read, a sentence each.
    """

    users: tuple[User, ...]
    routes: tuple[RouteAccess, ...]
    portal: str = ""
    rules_follow: bool = False
    sessions_last: bool = False
    notices: str = ""
    problems: tuple[str, ...] = ()


def sign_on(lab: Lab) -> SignOn:
    """Read it all from files. Raises NotFound (``lab_not_initialised``), InvalidInput (bad settings)."""
    settings = lab.settings
    seen = view(Snapshot(read_stacks(lab.whole.files), lab.files.read(SETTINGS_FILE)))
    mine = in_view(lab)
    routes = tuple(r for r in all_routes(seen, settings) if mine(r.where))
    problems = [f"Stack {name} cannot be read." for name in seen.unreadable if mine(name)]
    portal = portal_of(seen)
    if portal is None:
        return SignOn((), routes, problems=tuple(problems))
    users: tuple[User, ...] = ()
    data: dict[str, Any] = {}
    try:
        users = users_of(lab.files.read(portal.path(USERS)) or "")
        data = configuration(lab.files.read, portal)
    except InvalidInput as error:
        problems.append(error.message)
    return SignOn(
        users,
        routes,
        portal.service.where,
        portal.loads_access,
        keeps_sessions(data),
        _notices(data, portal.folder),
        tuple(problems),
    )


def last_notice(lab: Lab) -> str:
    """The newest text that Authelia wrote for a person; for a terminal alone, as it holds a code or a link.

    Raises NotFound (``no_notice``): nothing was written, or notices go by mail.
    """
    found = sign_on(lab)
    if found.notices == "mail":
        raise NotFound("Notices go by mail.", hint="Look into the mailbox.", code="no_notice")
    text = lab.files.read(found.notices) if found.notices else None
    if not text:
        raise NotFound(
            "Authelia has written no notice yet.",
            hint="Ask for one in the portal first: set up a second factor, or reset a password.",
            code="no_notice",
        )
    return text


def _notices(data: dict[str, Any], folder: str) -> str:
    notifier = data.get("notifier")
    if not isinstance(notifier, dict):
        return ""
    if "smtp" in notifier:
        return "mail"
    file = notifier.get("filesystem")
    name = str(file.get("filename", "")) if isinstance(file, dict) else ""
    return f"{folder}/{name.removeprefix('/config/')}" if name.startswith("/config/") else ""
