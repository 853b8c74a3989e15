"""Who gets in, and how far: ports, routes, users, images, secrets."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from homelab_mcp.core.audit.facts import AuditFacts, AuditFinding, Remedy, Running
from homelab_mcp.core.audit.linted import linted
from homelab_mcp.model.finding import Severity

_DAY = 86_400
_SHORT = 12
"""Characters below which a secret can be guessed by trying (a made one has 32 and more)."""
_ROOT = frozenset({"", "0", "root"})
_LOOPBACK = ("127.", "::1")


def security(facts: AuditFacts) -> Iterator[AuditFinding]:
    """Every finding on security."""
    routes = list(_routes(facts))
    told = {f.service for f in routes}
    # A route without log-in is told once: by its host, with the call that puts the log-in before it.
    yield from (f for f in linted(facts, "security") if not (f.id == "HL080" and f.service in told))
    yield from routes
    yield from _firewall(facts)
    for one in facts.running or ():
        yield from _root(one)
        yield from _old(one, facts)
    yield from _secrets(facts)


def _routes(facts: AuditFacts) -> Iterator[AuditFinding]:
    for route in facts.routes:
        if route.portal or route.policy != "bypass":
            continue
        inside = "/" in route.where and not route.where.startswith("external ")
        fix = Remedy("set_access_policy", {"services": [route.where], "policy": "one_factor"}) if inside else None
        stated = bool(route.why) and route.why != NO_REASON
        said = f"its reason: {route.why}" if stated else "no reason is given"
        yield AuditFinding(
            "open_route_with_reason" if stated else "open_route",
            Severity.INFO if stated else Severity.WARNING,
            route.where,
            f"Anybody who reaches {route.host} is let in without log-in; {said}.",
            f"https://{route.host}",
            None if stated else fix,
            ask=not stated and fix is not None,
        )


NO_REASON = "its route asks for no log-in"
"""What ``core.access`` says where the labels give no reason."""


def _firewall(facts: AuditFacts) -> Iterator[AuditFinding]:
    past: dict[str, list[str]] = defaultdict(list)
    for one in facts.running or ():
        for port in one.ports:
            proxy = port.host_port in (facts.settings.http_port, facts.settings.https_port)
            # IPv4 and IPv6 are two entries of one port.
            text = f"{port.host_port}/{port.protocol}"
            if not proxy and not port.host_ip.startswith(_LOOPBACK) and text not in past[one.where]:
                past[one.where].append(text)
    seen = {
        "ufw": "ufw is on, but Docker lets ports that it publishes through before ufw's rules are asked",
        "nftables": "nftables has rules, but Docker's own for published ports stand beside them",
        "none": "this machine has no firewall rules of its own",
    }.get(facts.firewall, "whether a firewall stands in the way cannot be seen")
    for where, ports in past.items():
        if ports:
            yield AuditFinding(
                "port_past_firewall",
                Severity.WARNING if facts.firewall in ("ufw", "nftables") else Severity.INFO,
                where,
                f"Ports {', '.join(ports)} are open to every network that reaches this machine: {seen}.",
                "Published on other addresses than 127.0.0.1.",
            )
    if facts.firewall == "none":
        yield AuditFinding("no_firewall", Severity.INFO, "", "No firewall was found on this machine.", "ufw, nftables")
    elif facts.firewall == "unseen":
        yield AuditFinding(
            "firewall_unseen",
            Severity.INFO,
            "",
            "Whether a firewall is on cannot be told: only root can read its rules, with the program nft.",
            "Run `sudo homelab-mcp audit security`; where nft is missing, `sudo apt install nftables`.",
        )


def _root(one: Running) -> Iterator[AuditFinding]:
    if one.user.partition(":")[0] in _ROOT and one.state == "running" and not one.drops_root:
        yield AuditFinding(
            "runs_as_root",
            Severity.INFO,
            one.where,
            "Its first process runs as root: who breaks out of the program is root in the container.",
            "No user in the image or the file, and no PUID among its variables; some images still give root up later.",
        )


def _old(one: Running, facts: AuditFacts) -> Iterator[AuditFinding]:
    days = int((facts.now - one.image_created) // _DAY)
    # Images built reproducibly carry a date of 1970 or 1980: that says nothing of their age.
    if one.image_created > 365 * _DAY * 15 and days >= facts.old_days:
        yield AuditFinding(
            "old_image",
            Severity.WARNING if days >= 2 * facts.old_days else Severity.INFO,
            one.where,
            f"Its image is {days} days old: holes found since are open.",
            one.image,
            Remedy("update_images", {"services": [one.where]}),
            ask=True,
        )


def _secrets(facts: AuditFacts) -> Iterator[AuditFinding]:
    owners: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for stack, pairs in sorted(facts.secrets.items()):
        for name, value in sorted(pairs.items()):
            if not value:
                continue
            if len(value) >= _SHORT:
                owners[value].append((stack, name))
            else:
                yield AuditFinding(
                    "weak_secret",
                    Severity.WARNING,
                    stack,
                    f"{name} has fewer than {_SHORT} characters.",
                    f"{stack}/.env",
                    Remedy("set_env", {"stack": stack, "generate": [name]}),
                    ask=True,
                )
    for places in owners.values():
        stacks = {stack for stack, _ in places}
        if len(stacks) > 1 and any(map(facts.mine, stacks)):
            names = ", ".join(f"{stack}/.env {name}" for stack, name in places[:6])
            yield AuditFinding(
                "shared_secret",
                Severity.INFO,
                "",
                f"One secret has the same value in {len(stacks)} stacks: right where they talk to each other, else "
                "who learns it from one is in all.",
                names,
            )
