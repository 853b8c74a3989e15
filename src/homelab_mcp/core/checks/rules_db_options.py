"""HL338: options of a database server that its version no longer has."""

from __future__ import annotations

import re
from collections.abc import Iterable

from homelab_mcp.core.checks.frame import LintContext, rule
from homelab_mcp.core.checks.images import is_client, words_of
from homelab_mcp.model.finding import Finding, Severity

HEAD = (
    "services:\n  db:\n    image: mysql:8.4\n    volumes: ['./db:/var/lib/mysql']\n"
    "    environment: {MYSQL_ROOT_PASSWORD: '${P:-x}'}\n    command: "
)
GONE: dict[str, tuple[int, int]] = {
    "default-authentication-plugin": (8, 4),
    "mysql-native-password": (9, 0),
    "query-cache-size": (8, 0),
    "query-cache-type": (8, 0),
    "query-cache-limit": (8, 0),
    "innodb-file-format": (8, 0),
    "innodb-large-prefix": (8, 0),
}
"""Option of MySQL's server -> the version that removed it (its manuals, "What Is New" and "Options ... Removed")."""


@rule(
    "HL338",
    Severity.ERROR,
    "An option that the database no longer has",
    why="MySQL does not start with an option that it does not know ('unknown variable'). MariaDB passes over those "
    "that it has given up.",
    link="https://dev.mysql.com/doc/refman/8.4/en/mysql-nutshell.html",
    bad=f"{HEAD}--default-authentication-plugin=mysql_native_password\n",
    good=f"{HEAD}--character-set-server=utf8mb4\n",
    needs="command",
)
def option_gone(ctx: LintContext) -> Iterable[Finding]:
    """Options in the command of the official MySQL image with a version in its tag."""
    for service in ctx.having("command"):
        # Neither a registry's port nor a digest is a version.
        last = service.image.partition("@")[0].rpartition("/")[2]
        tag = re.match(r"([0-9]{1,4})(?:\.([0-9]{1,4}))?(?![0-9])", last.partition(":")[2])
        if service.image_name != "mysql" or tag is None or is_client(service):
            continue
        # A bare major version is its newest release.
        version = int(tag[1]), int(tag[2] or 99)
        part = service.data.get("command")
        for n, word in enumerate(words_of(service, "command")):
            name = word.removeprefix("--").partition("=")[0].replace("_", "-").lower()
            if word.startswith("--") and name in GONE and version >= GONE[name]:
                path = ("command", n) if isinstance(part, list) else ("command",)
                major, minor = GONE[name]
                message = f"MySQL has no option --{name} from {major}.{minor} on."
                yield ctx.on(service, path, message)
