"""Authelia's users file: who is in it, and changing one person without touching the others.

Facts: Authelia 4.39, ``docs/static/schemas/v4.39/json-schema/user-database.json`` and
``docs/content/reference/guides/passwords.md``. Authelia itself rewrites the whole file when a person changes their
password, and reads it again when it changes (``watch``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from homelab_mcp.core import yaml_put
from homelab_mcp.core.yaml12 import YamlRefused, load
from homelab_mcp.core.yaml_emit import Style, entry
from homelab_mcp.model.errors import EditRefused, InvalidInput, NotFound

USERS = "users_database.yml"

_USER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
_GROUP = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_MAIL = re.compile(r"[^@\s\x00-\x1f]{1,64}@[^@\s\x00-\x1f]{1,190}")


@dataclass(frozen=True, slots=True)
class User:
    """A person as the file has them, but for the password."""

    name: str
    displayname: str
    email: str
    groups: tuple[str, ...]
    disabled: bool


def users_of(text: str) -> tuple[User, ...]:
    """Everyone in the file, in its order.

    Raises:
        InvalidInput: it cannot be read (code ``bad_users_file``).
    """
    return tuple(_user(name, data) for name, data in _people(text).items())


def members(text: str) -> dict[str, tuple[str, ...]]:
    """Group to the names of those in it; empty for a file that cannot be read."""
    found: dict[str, tuple[str, ...]] = {}
    try:
        users = users_of(text)
    except InvalidInput:
        return {}
    for user in users:
        for group in user.groups:
            found[group] = (*found.get(group, ()), user.name)
    return found


def add_user(text: str, user: User, password: str) -> str:
    """The text with one person more; ``password`` is a hash.

    Raises:
        InvalidInput: the name is taken or odd, a group or the address is odd.
        EditRefused: the file cannot be added to alone.
    """
    people = _people(text)
    if user.name.lower() in {n.lower() for n in people}:
        raise InvalidInput(f"There is a user called {user.name} already.", code="user_exists")
    check_name(user.name)
    check_groups(user.groups)
    check_mail(user.email)
    if not user.displayname.strip() or any(ord(c) < 32 or ord(c) == 127 for c in user.displayname):
        raise InvalidInput("The display name is empty or holds a control character.", code="bad_value")
    data: dict[str, Any] = {
        "disabled": user.disabled,
        "displayname": user.displayname,
        "password": password,
        "email": user.email,
        "groups": list(user.groups),
    }
    if not people:
        # An empty mapping may be written in braces, which a readable file does not keep.
        return "\n".join(entry("users", {user.name: data}, 0, Style())) + "\n"
    return _proved(text, ("users", user.name), data)


def remove_user(text: str, name: str) -> str:
    """The text without that person. Raises NotFound, InvalidInput (``last_user``), EditRefused."""
    people = _people(text)
    _known(people, name)
    if not any(not u.disabled for u in users_of(text) if u.name != name):
        raise InvalidInput(f"{name} is the last one who can log in.", hint="Add somebody first.", code="last_user")
    return _checked(yaml_put.drop(text, ("users", name), prune=False), {k: v for k, v in people.items() if k != name})


def change_user(
    text: str,
    name: str,
    *,
    disabled: bool | None = None,
    groups: Sequence[str] | None = None,
    password: str | None = None,
) -> str:
    """The text with that person changed; None leaves a part as it is.

    Raises NotFound, InvalidInput (``last_user``, odd groups), EditRefused.
    """
    people = _people(text)
    _known(people, name)
    if disabled and not any(not u.disabled for u in users_of(text) if u.name != name):
        raise InvalidInput(f"{name} is the last one who can log in.", hint="Add somebody first.", code="last_user")
    if groups is not None:
        check_groups(groups)
    parts = {"disabled": disabled, "groups": None if groups is None else list(groups), "password": password}
    for part, value in parts.items():
        if value is not None and people[name].get(part) != value:
            text = _proved(text, ("users", name, part), value)
    return text


def described(before: str | None, after: str | None) -> list[str]:
    """What changes between two texts of the file, a line a person; no hash is in it."""
    old, new = _quietly(before), _quietly(after)
    if old is None or new is None:
        return ["  (cannot be read as a users file; content not shown)"]
    lines = []
    for name in [*old, *(n for n in new if n not in old)]:
        if name not in new:
            lines.append(f"- {name}")
        elif name not in old:
            lines.append(f"+ {name} {_told(_user(name, new[name]))}")
        elif old[name] != new[name]:
            lines.append(f"~ {name} {', '.join(_differences(old[name], new[name]))}")
    return lines or ["  (comments, order or quoting only)"]


def check_name(name: str) -> None:
    """Raise InvalidInput (``bad_name``) for what is no user name."""
    if not _USER.fullmatch(name):
        raise InvalidInput(
            "A user name has letters, digits and . _ - @, at most 64, and starts with a letter or digit.",
            code="bad_name",
        )


def check_groups(groups: Sequence[str]) -> None:
    """Raise InvalidInput (``bad_name``) for a group that no access rule could name."""
    for group in groups:
        if not _GROUP.fullmatch(group) or group == "everyone":
            raise InvalidInput(f"{group!r} is no group name.", hint="Use letters, digits and . _ -", code="bad_name")


def check_mail(address: str) -> None:
    """Raise InvalidInput (``bad_value``) for what is no mail address."""
    if not _MAIL.fullmatch(address):
        raise InvalidInput("That is no mail address.", hint="Give one such as bob@example.org.", code="bad_value")


def _people(text: str) -> dict[str, dict[str, Any]]:
    try:
        data = load(text) if text else {}
    except YamlRefused as error:
        raise InvalidInput(
            f"The users file cannot be read: {error.message}", hint="Correct it first.", code="bad_users_file"
        ) from None
    users = data.get("users") if isinstance(data, dict) else None
    found = users if isinstance(users, dict) else {}
    return {str(k): v if isinstance(v, dict) else {} for k, v in found.items()}


def _quietly(text: str | None) -> dict[str, dict[str, Any]] | None:
    try:
        return _people(text or "")
    except InvalidInput:
        return None


def _user(name: str, data: Mapping[str, Any]) -> User:
    groups = data.get("groups")
    return User(
        name,
        str(data.get("displayname", "")),
        str(data.get("email", "")),
        tuple(str(g) for g in groups) if isinstance(groups, list) else (),
        data.get("disabled") is True,
    )


def _known(people: Mapping[str, Any], name: str) -> None:
    if name not in people:
        raise NotFound(
            f"There is no user called {name}.", hint=f"Users: {', '.join(people) or 'none'}.", code="user_unknown"
        )


def _proved(text: str, path: tuple[str, ...], value: Any) -> str:
    wanted = _people(text)
    home: Any = wanted
    for step in path[1:-1]:
        home = home.setdefault(step, {})
    home[path[-1]] = value
    return _checked(yaml_put.put(text, path, value), wanted)


def _checked(text: str, wanted: Mapping[str, Any]) -> str:
    if _people(text) != wanted:
        raise EditRefused("The users file would not read back as meant.", code="edit_changed_more")
    return text


def _told(user: User) -> str:
    groups = f"groups {', '.join(user.groups)}" if user.groups else "no groups"
    return f"({groups}{', disabled' if user.disabled else ''})"


def _differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    one, two = _user("", old), _user("", new)
    if one.groups != two.groups:
        yield f"groups {', '.join(one.groups) or 'none'} -> {', '.join(two.groups) or 'none'}"
    if one.disabled != two.disabled:
        yield "disabled" if two.disabled else "enabled"
    if old.get("password") != new.get("password"):
        yield "new password"
    rest = {k for k in (*old, *new) if k not in ("groups", "disabled", "password") and old.get(k) != new.get(k)}
    if rest:
        yield f"{', '.join(sorted(rest))} changed"
