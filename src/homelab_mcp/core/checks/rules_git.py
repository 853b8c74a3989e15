"""HL173: secrets in git."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable

from homelab_mcp.core.checks.frame import LintContext, rule
from homelab_mcp.core.checks.rules_environment import NO_SECRET, SECRET
from homelab_mcp.core.env_file import parse_or_empty
from homelab_mcp.model.errors import HomelabError
from homelab_mcp.model.finding import Finding, Severity

_NAMES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), what)
    for pattern, what in (
        (r"\.env(?:\.(?:local|prod|production|secret|secrets|live))?|[^/]+\.secrets?\.env|secrets?\.env", "passwords"),
        (r"acme(?:-[a-z]+)?\.json", "the private keys of your certificates"),
        (r"users_database\.ya?ml", "password hashes of all users"),
        (r"id_(?:rsa|dsa|ecdsa|ed25519)(?:_sk)?|ssh_host_[a-z0-9]+_key", "a private key"),
        (
            r"privkey[0-9]*\.pem|[^/]*private[^/]*\.pem|(?:server|client|tls|ca|key)[-_.]?key\.pem|key\.pem",
            "a private key",
        ),
        (r"[^/]+\.(?:key|pfx|p12|jks|ppk|keystore)", "a private key"),
        (r"wg[0-9]+\.conf|wireguard\.conf", "a VPN's private key"),
        (r"\.htpasswd|htpasswd|\.pgpass|\.my\.cnf|\.netrc|\.git-credentials|\.vault-token", "passwords"),
        (r"[^/]+\.kdbx|\.s3cfg|rclone\.conf|service[-_]account[^/]*\.json|credentials\.json", "passwords"),
    )
)
_PUBLIC = re.compile(r"example|sample|template|\.pub\Z|\.dist\Z|\.age\Z|\.gpg\Z|\.enc\Z|\.sops", re.IGNORECASE)


def secret_kind(path: str) -> str:
    """What secret a file holds by its name, "" when the name says none."""
    name = posixpath.basename(path)
    if _PUBLIC.search(name):
        return ""
    return next((what for pattern, what in _NAMES if pattern.fullmatch(name)), "")


@rule(
    "HL173",
    Severity.WARNING,
    "A secret in git",
    why="What was committed once stays in the history, in every clone and on the server it is pushed to. Take it out "
    "with 'git rm --cached', name it in .gitignore, and change the secret: it counts as known.",
    link="https://docs.github.com/authentication/keeping-your-account-and-data-secure/"
    "removing-sensitive-data-from-a-repository",
    bad="services:\n  web:\n    image: nginx:1.29\n    env_file: .env\n",
    good="services:\n  web:\n    image: nginx:1.29\n",
)
def secret_in_git(ctx: LintContext) -> Iterable[Finding]:
    """A file of git's index whose name says what it holds; silent where nobody looked."""
    for path in ctx.lab.facts.tracked or ():
        kind = secret_kind(path)
        if kind and not _is_empty(ctx, path):
            message = f"git tracks this file, which holds {kind}."
            yield Finding("HL173", Severity.WARNING, message, path, 1, 1)


def _is_empty(ctx: LintContext, path: str) -> bool:
    """True for an env file with variables for secrets that hold nothing; False where nobody can read it."""
    read = next((s.read for s in ctx.lab.stacks if s.read is not None), None)
    if read is None or not re.search(r"(?:^|[./])env(?:\.|$)", path.rpartition("/")[2], re.IGNORECASE):
        return False
    try:
        values = parse_or_empty(read(path) or "")
    except HomelabError:
        return False
    secrets = [v for name, v in values.items() if SECRET.search(name) and not NO_SECRET.search(name)]
    # Without a name that says secret any value may be one.
    return bool(secrets) and not any(secrets) and not any("://" in v and "@" in v for v in values.values())
