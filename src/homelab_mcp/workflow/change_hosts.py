"""A person's changes of ``hosts.yaml`` and of the certificates for Docker hosts; no tool gets here."""

from __future__ import annotations

import contextlib
import ipaddress
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import unified_diff
from urllib.parse import urlsplit

from pydantic import ValidationError

from homelab_mcp.core.hosts import check_name, parse_hosts, remove_host, set_host
from homelab_mcp.core.stack_host import host_of
from homelab_mcp.model.errors import EngineUnavailable, HomelabError, InvalidInput, NotFound
from homelab_mcp.model.hosts import DockerHost
from homelab_mcp.model.lab import HOSTS_FILE, PRIVATE_FOLDER
from homelab_mcp.ports import Lab

_REMOTE_FOLDER = "/etc/docker/tls"


@dataclass(frozen=True, slots=True)
class HostsChange:
    """``hosts.yaml`` before and after, in words for the journal and as a diff; what was seen of the host."""

    before: str | None
    after: str
    what: str
    diff: str
    address: str = ""
    version: str = ""


def added(
    lab: Lab,
    name: str,
    address: str,
    certificates: str,
    context: str,
    timeout: float,
    *,
    unreached: bool,
    private: str = "",
) -> HostsChange:
    """The change that adds a host, or gives a known one these values, once it has answered.

    Args:
        lab: the lab.
        name: the host's.
        address: as in ``hosts.yaml``; "" with ``context``.
        certificates: a folder; "" takes, for ``tcp://``, what ``host tls`` made.
        context: a Docker context to take both from.
        timeout: seconds.
        unreached: also when it does not answer.
        private: the address that routes to its services go to; "" keeps a known host's.

    Raises:
        InvalidInput: ``bad_hosts``, ``nothing_to_do``.
        NotFound: no such context (``context_unknown``).
        EngineUnavailable: it does not answer (``host_silent``).
    """
    before = lab.files.read(HOSTS_FILE)
    known = parse_hosts(before).hosts.get(name)
    private = private or (known.private if known else "")
    host = _wanted(lab, name, address, certificates, context, timeout, private)
    after = set_host(before, name, host)
    if before is not None and parse_hosts(before) == parse_hosts(after):
        raise InvalidInput(f"Host {name} is there already, just so.", code="nothing_to_do")
    seen = lab.hosts.look(name, host)
    if seen.error and not unreached:
        raise EngineUnavailable(
            seen.error, hint=f"{seen.hint} With --unreached it is added all the same.".strip(), code="host_silent"
        )
    return HostsChange(before, after, f"add {name}", _diff(before, after), host.address, seen.version)


def removed(lab: Lab, name: str) -> HostsChange:
    """The change that takes a host out. Raises NotFound, InvalidInput (``host_in_use``), EditRefused."""
    before = lab.files.read(HOSTS_FILE)
    after = remove_host(before, name)
    users = [s for s, path in lab.files.stack_folders() if host_of(lab.files.read(path) or "") == name]
    if users:
        raise InvalidInput(
            f"Stack {', '.join(users)} is on host {name}.",
            hint="Remove the services of these stacks first; else nothing here reaches their containers any more.",
            code="host_in_use",
        )
    return HostsChange(before, after, f"remove {name}", _diff(before, after))


def write_hosts(lab: Lab, change: HostsChange) -> None:
    """Write it, commit it, and note it in the journal. Raises PlanRefused-like errors of those, LabLocked."""
    with lab.lock.hold(f"host: {change.what}"):
        if lab.files.read(HOSTS_FILE) != change.before:
            raise InvalidInput(f"{HOSTS_FILE} was changed meanwhile.", hint="Run it again.", code="plan_stale")
        lab.files.write_atomic(HOSTS_FILE, change.after, 0o644)
        lab.journal.append("hosts_changed", {"what": change.what})
        lab.history.commit([HOSTS_FILE], f"Docker hosts: {change.what}")


def make_tls(lab: Lab, name: str, names: Sequence[str], days: int, *, again: bool, ca_key: str = "") -> list[str]:
    """Make a host's certificates and say what a person does next; ``ca_key`` as the port's.

    Raises InvalidInput, NotFound, StorageFailed.
    """
    known = lab.hosts.settings.hosts.get(name)
    check_name(name)
    wanted = list(names)
    if again and not wanted:
        wanted = [n for f in lab.hosts.tls(name) if f.role == "server" for n in f.names]
    if known and known.kind == "tcp" and (host := urlsplit(known.address).hostname) and host not in wanted:
        wanted.append(host)
    lab.hosts.make_tls(name, wanted, days, again=again, ca_key=ca_key)
    lab.journal.append("host_tls", {"host": name, "what": "rotated" if again else "made"})
    return _steps(name, lab.root, wanted, again=again)


def _wanted(
    lab: Lab, name: str, address: str, certificates: str, context: str, timeout: float, private: str
) -> DockerHost:
    if context:
        usable, refused = lab.hosts.contexts()
        if context not in usable:
            why = f" ({refused[context]})" if context in refused else ""
            raise NotFound(
                f"Docker context {context!r} cannot be taken over{why}.",
                hint=f"There are: {', '.join(usable) or 'none'}.",
                code="context_unknown",
            )
        address, certificates = usable[context].address, certificates or usable[context].certificates
    if address.startswith("tcp://") and not certificates:
        try:
            lab.hosts.tls(name)
        except HomelabError:
            pass
        else:
            certificates = f"{PRIVATE_FOLDER}/tls/{name}/client"
    try:
        return DockerHost(address=address, certificates=certificates, timeout=timeout, private=private)
    except ValidationError as error:
        raise InvalidInput(
            f"This does not fit: {'; '.join(str(e['msg']) for e in error.errors())}.",
            hint=f"For example: homelab-mcp host add {name or 'nas'} ssh://root@nas.lan",
            code="bad_hosts",
        ) from None


def _diff(before: str | None, after: str) -> str:
    old, new = (before or "").splitlines(), after.splitlines()
    return "\n".join(unified_diff(old, new, HOSTS_FILE, HOSTS_FILE, lineterm="", n=2))


def _steps(name: str, root: str, names: Sequence[str], *, again: bool) -> list[str]:
    host = names[0]
    copy = f"scp -p {shlex.quote(f'{root}/{PRIVATE_FOLDER}/tls/{name}/server')}/*.pem root@{host}:{_REMOTE_FOLDER}/"
    if again:
        return [
            f"Copy the host's part over SSH: {copy}",
            "Then restart Docker there; until then it goes on with its old certificate, which still holds.",
        ]
    daemon = (
        f'{{"tlsverify": true, "tlscacert": "{_REMOTE_FOLDER}/ca.pem", "tlscert": "{_REMOTE_FOLDER}/cert.pem", '
        f'"tlskey": "{_REMOTE_FOLDER}/key.pem", "hosts": ["unix:///var/run/docker.sock", "tcp://{_listens(names)}:2376"]}}'
    )
    return [
        f"Copy the host's part over SSH: ssh root@{host} mkdir -p -m 700 {_REMOTE_FOLDER} && {copy}",
        f"On {host}, /etc/docker/daemon.json: {daemon}",
        "Where systemd starts Docker with -H, take that out (`systemctl edit docker`); then restart Docker there.",
        f"Then: homelab-mcp host add {name} tcp://{host}:2376",
    ]


def _listens(names: Sequence[str]) -> str:
    """Where Docker there listens: at an address that was named, else at all; its own name may be a loopback there."""
    for name in names:
        with contextlib.suppress(ValueError):
            address = ipaddress.ip_address(name)
            if not address.is_loopback:
                return f"[{address}]" if address.version == 6 else str(address)
    return "0.0.0.0"  # noqa: S104 # whoever has no certificate is turned away
