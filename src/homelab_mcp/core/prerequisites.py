"""Whether a machine has what the lab needs, judged from facts that somebody else gathered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from itertools import combinations

from homelab_mcp.model.host import Check, Disk, HostFacts, HostQuestion
from homelab_mcp.model.lab import SETTINGS_FILE, LabSettings

GIB = 1024**3
LEAST_FREE = 2 * GIB
ROOM_FREE = 10 * GIB
LEAST_MEMORY = GIB
ROOM_MEMORY = 4 * GIB - GIB // 4
"""A machine sold with 4 GiB reports a little less."""

HOME_DOMAIN = "home.arpa"
"""The domain set aside for home networks (RFC 8375); no public CA issues certificates for it."""

_PROBE = "homelab-mcp-check"


def question_of(settings: LabSettings, root: str) -> HostQuestion:
    """What to ask of the machine for these settings."""
    named = (settings.domain, f"{_PROBE}.{settings.domain}") if settings.domain != HOME_DOMAIN else ()
    return HostQuestion(
        paths=tuple(dict.fromkeys((root, settings.media_dir, settings.downloads_dir))),
        names=named,
        timezone=settings.timezone,
        puid=settings.puid,
        pgid=settings.pgid,
    )


def check_host(facts: HostFacts, settings: LabSettings, root: str, publishers: Mapping[int, str]) -> Iterator[Check]:
    """Every check, in the order a person would go through them.

    Args:
        facts: the machine's.
        settings: the lab's.
        root: the lab's absolute path.
        publishers: TCP host port -> the container that publishes it.
    """
    yield from _ports(facts, settings, publishers)
    yield from _disks(facts.disks, settings, root)
    yield from _power(facts)
    yield from _people(facts, settings)
    yield from _names(facts, settings)
    yield _firewall(facts)
    yield from _networks(facts)
    yield _gpu(facts)


def _ports(facts: HostFacts, settings: LabSettings, publishers: Mapping[int, str]) -> Iterator[Check]:
    for port in (settings.http_port, settings.https_port):
        name = f"port_{port}"
        if port in publishers:
            yield Check(name, True, f"Port {port} is published by {publishers[port]}.")
        elif port in facts.listeners:
            program = facts.listeners[port]
            who = f"{program}, which is" if program else "a program that is"
            yield Check(
                name,
                False,
                f"Port {port} is taken by {who} none of the lab's containers.",
                f"See which: `sudo ss -ltnp 'sport = :{port}'`. Stop it, or change the port in {SETTINGS_FILE}.",
            )
        else:
            yield Check(name, True, f"Port {port} is free.")


def _disks(disks: Sequence[Disk], settings: LabSettings, root: str) -> Iterator[Check]:
    for disk in disks:
        name = (
            "disk_lab" if disk.path == root else f"disk_{'media' if disk.path == settings.media_dir else 'downloads'}"
        )
        free = f"{disk.free / GIB:.1f} GiB of {disk.total / GIB:.1f} GiB are free"
        if not disk.exists and disk.path != root:
            yield Check(
                name,
                True,
                f"There is no folder {disk.path} yet.",
                f"Before a service uses it: mount the disk there, or `sudo install -d -o {settings.puid} -g "
                f"{settings.pgid} {disk.path}`.",
                warning=True,
            )
        elif disk.free < LEAST_FREE and disk.path == root:
            yield Check(
                name, False, f"At {disk.path}, {free}: too little.", "Free some, or move the lab to another disk."
            )
        elif disk.free < ROOM_FREE:
            yield Check(name, True, f"At {disk.path}, {free}.", "Images and media fill that soon.", warning=True)
        elif disk.path != root and not disk.mounted:
            said = f"{disk.path} is on the system's own disk; {free}."
            yield Check(name, True, said, "Mount a disk of its own there, or keep an eye on it.", warning=True)
        else:
            yield Check(name, True, f"At {disk.path}, {free}.")


def _power(facts: HostFacts) -> Iterator[Check]:
    said = f"{facts.memory / GIB:.1f} GiB of memory, {facts.available / GIB:.1f} GiB of it available."
    if not facts.memory:
        yield Check("memory", True, "The memory's size cannot be seen here.", warning=True)
    elif facts.memory < LEAST_MEMORY:
        yield Check("memory", False, said, "The core stack alone wants 1 GiB.")
    else:
        tight = facts.memory < ROOM_MEMORY
        yield Check("memory", True, said, "Enough for the core and a few light services." if tight else "", tight)
    few = facts.cpus < 2
    yield Check(
        "cpus", True, f"{facts.cpus} processors.", "Video is then best not transcoded here." if few else "", few
    )


def _people(facts: HostFacts, settings: LabSettings) -> Iterator[Check]:
    known = facts.timezone_known
    said = f"{settings.timezone} is a time zone." if known else f"There is no time zone {settings.timezone}."
    yield Check("timezone", known, said, f"Set timezone in {SETTINGS_FILE} to a name such as Europe/Berlin.")
    user, group = facts.user or "nobody's", facts.group or "no group's"
    said = f"Services run as {settings.puid}:{settings.pgid} ({user}, {group})."
    root = settings.puid == 0
    hint = (
        "Choose another user than root." if root else "" if facts.user and facts.group else "Files will show numbers."
    )
    yield Check("owner", True, said, hint, warning=bool(hint))


def _names(facts: HostFacts, settings: LabSettings) -> Iterator[Check]:
    domain = settings.domain
    if domain == HOME_DOMAIN or not facts.resolved:
        yield Check("dns", True, f"{domain} is for the home network alone: its names are given by your own DNS server.")
        return
    probe = f"{_PROBE}.{domain}"
    found = facts.resolved.get(probe)
    if found is None:
        hint = "Look again once the network is up: `homelab-mcp doctor`."
        yield Check("dns", True, f"No DNS server answered in time for {probe}.", hint, warning=True)
    elif not found:
        said = f"*.{domain} leads nowhere yet: {probe} has no address."
        hint = f"Give *.{domain} an address at your DNS provider (the DNS updater of the core does it for DuckDNS)."
        yield Check("dns", True, said, hint, warning=True)
    else:
        mine = set(found) & set(facts.own_addresses)
        private = any(ip_address(a).is_private for a in found)
        where = "this machine" if mine else "a private address" if private else "a public address"
        yield Check("dns", True, f"*.{domain} leads to {', '.join(found)} ({where}).")


def _firewall(facts: HostFacts) -> Check:
    if facts.firewall == "ufw":
        hint = (
            "It does not hold back ports that containers publish: those pass Docker's own rules. It may hold back what "
            "containers ask of this machine."
        )
        return Check("firewall", True, "ufw is on.", hint, warning=True)
    if facts.firewall == "nftables":
        hint = "Ports 80 and 443 must be let in; Docker adds its own rules for what containers publish."
        return Check("firewall", True, "The kernel has firewall rules besides Docker's.", hint, warning=True)
    if facts.firewall == "none":
        return Check("firewall", True, "No firewall rules besides Docker's.")
    return Check(
        "firewall",
        True,
        "The firewall's rules cannot be seen: only root can read them, with the program nft.",
        "To look, run this as root; where nft is missing, `sudo apt install nftables`.",
        True,
    )


def overlaps(facts: HostFacts) -> list[tuple[str, str, str, str]]:
    """(network, device, network, device) of directly reached networks that overlap and are behind other devices."""
    nets: list[tuple[IPv4Network | IPv6Network, str]] = []
    for route in facts.routes:
        net = ip_network(route.network, strict=False)
        if net.prefixlen > 0:
            nets.append((net, route.device))
    return [
        (str(a), x, str(b), y)
        for (a, x), (b, y) in combinations(nets, 2)
        if x != y and a.version == b.version and a.overlaps(b)
    ]


def _networks(facts: HostFacts) -> Iterator[Check]:
    clashes = [c for c in overlaps(facts) if any(_of_docker(device) for device in (c[1], c[3]))]
    if not clashes:
        yield Check("networks", True, "No Docker network overlaps another network of this machine.")
    for a, x, b, y in clashes[:3]:
        yield Check(
            "networks",
            False,
            f"The network {a} of {x} overlaps {b} of {y}.",
            "What is in both cannot be reached from here. Remove the Docker network, and keep the range out of "
            "default-address-pools in /etc/docker/daemon.json before it is made again.",
        )


def _of_docker(device: str) -> bool:
    return device.startswith(("br-", "docker"))


def _gpu(facts: HostFacts) -> Check:
    if facts.nvidia and not facts.nvidia_toolkit:
        hint = "Install the NVIDIA Container Toolkit, so that containers can use it."
        return Check("gpu", True, "An NVIDIA GPU is here, and containers cannot use it yet.", hint, warning=True)
    seen = [*(["an NVIDIA GPU"] if facts.nvidia else []), *facts.render_nodes]
    return Check("gpu", True, f"For video: {', '.join(seen)}." if seen else "No GPU that containers could use.")
