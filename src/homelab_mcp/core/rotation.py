"""Whether a secret may be replaced by a new random one just by writing it, and what else must change where not."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from homelab_mcp.core.compose_meaning import services_of
from homelab_mcp.core.env_report import uses
from homelab_mcp.core.references import variables_in
from homelab_mcp.model.definition import Generate, Variable

_DATABASES = re.compile(r"(?:^|/)(postgres|postgis|pgvector|timescaledb|mariadb|mysql|percona|mongo|influxdb)[^/]*$")
_INITIAL = re.compile(
    r"^(POSTGRES_PASSWORD|MYSQL_(ROOT_)?PASSWORD|MARIADB_(ROOT_)?PASSWORD|MONGO_INITDB_ROOT_PASSWORD"
    r"|DOCKER_INFLUXDB_INIT_.*)(_FILE)?$"
)
"""What a database's image takes only when its folder is empty (the images' own documentation)."""

_DATA_KEY = re.compile(r"ENCRYPTION|STORAGE_KEY|MASTER_KEY|APP_KEY|SALT|SETTINGS_KEY|KEY_BASE|FERNET")
_FIRST_START = re.compile(r"ADMIN.*PASS|PASS.*ADMIN|INITIAL|INIT_|ROOT_PASS|SETUP_")


@dataclass(frozen=True, slots=True)
class Rotation:
    """How a secret can be replaced: ``kind`` free, database, data_key, outside or first_start.

    ``why`` says what the kind means here, ``steps`` what a person does instead or besides.
    """

    kind: str
    why: str = ""
    steps: str = ""
    generate: Generate | None = None

    @property
    def allowed(self) -> bool:
        """Whether writing a new value is enough to change it."""
        return self.kind in ("free", "first_start")


def rotation(name: str, compose: Any, declared: Variable | None) -> Rotation:
    """What replacing the variable's value means.

    Args:
        name: the variable of the stack's ``.env``.
        compose: the stack's compose data.
        declared: what the definition says of it; None where none does.
    """
    for service, body in services_of(compose).items():
        if isinstance(body, Mapping) and _sets_up_database(name, body):
            return Rotation(
                "database",
                f"{service} took this password when its data was made, and takes no other by its variable.",
                f"First change it inside {service} (ALTER USER ... PASSWORD), then set the same value with "
                "`homelab-mcp env set`, typed unseen; every service that uses it is recreated by that plan.",
            )
    if any(_DATA_KEY.search(n) for n in (name, *_fed(name, compose))):
        return Rotation(
            "data_key",
            "It encrypts what the service has stored; with another key that is lost.",
            "Use the service's own way of changing the key, or export its data first.",
        )
    if declared is not None and declared.secret and declared.generate is None:
        return Rotation(
            "outside",
            f"Somebody else gives it out: {declared.description.rstrip('.')}.",
            "Make a new one there, then set it with `homelab-mcp env set`.",
        )
    generate = declared.generate if declared else None
    if _FIRST_START.search(name):
        why = "Many services take it at their first start only: change it in the service itself too."
        return Rotation("first_start", why, generate=generate)
    return Rotation("free", generate=generate)


def _rows(body: Any) -> list[tuple[str, str]]:
    """(variable in the container, what it is set to) of a service; "" where Compose fills it in by its name."""
    environment = body.get("environment") if isinstance(body, Mapping) else None
    if isinstance(environment, Mapping):
        return [(str(k), "" if v is None else str(v)) for k, v in environment.items()]
    return [(k, v) for k, _, v in (str(e).partition("=") for e in environment or ())]


def _fed(name: str, compose: Any) -> list[str]:
    """What the variable is called inside the containers that it reaches."""
    return [k for body in services_of(compose).values() for k, v in _rows(body) if name in variables_in(v)]


def _sets_up_database(name: str, body: Mapping[str, Any]) -> bool:
    image = str(body.get("image") or "").partition("@")[0].partition(":")[0]
    initial = any(_INITIAL.match(k) and (name in variables_in(v) or (not v and k == name)) for k, v in _rows(body))
    return initial or bool(_DATABASES.search(image) and _INITIAL.match(name) and uses(body, {name}))
