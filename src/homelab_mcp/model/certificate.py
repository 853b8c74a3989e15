"""Certificates: what one says, where it was seen, and how Traefik gets them. Never a private key."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Certificate:
    """What a certificate says.

    Args:
        subject: its common name; "" for one that has none.
        names: the DNS names it is for, lower case.
        issuer: who issued it, in one line.
        serial: its serial number in hexadecimal, lower case.
        not_before: Unix seconds.
        not_after: Unix seconds.
    """

    subject: str
    names: tuple[str, ...]
    issuer: str
    serial: str
    not_before: float
    not_after: float

    def covers(self, host: str) -> bool:
        """Whether it is good for that host; a wildcard stands for one label (RFC 6125 section 6.4.3)."""
        host = host.lower()
        parent = host.partition(".")[2]
        return host in self.names or (bool(parent) and f"*.{parent}" in self.names)

    def days_left(self, now: float) -> float:
        """Days until it expires; negative when it has."""
        return (self.not_after - now) / 86400


@dataclass(frozen=True, slots=True)
class Served:
    """What TLS shows for a host, asked with its name. Without ``certificate`` nobody answered: ``problem`` says why.

    ``verified`` is whether the chain and the name hold; where not, ``problem`` is what the check said.
    """

    host: str
    certificate: Certificate | None = None
    verified: bool = False
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Stored:
    """One certificate of a resolver in Traefik's store; ``certificate`` is None where it cannot be read."""

    store: str
    resolver: str
    main: str
    sans: tuple[str, ...] = ()
    certificate: Certificate | None = None

    @property
    def domains(self) -> tuple[str, ...]:
        """What was asked for."""
        return (self.main, *self.sans)


@dataclass(frozen=True, slots=True)
class Resolver:
    """One of Traefik's certificate resolvers, as it is started with.

    Args:
        name: its name.
        store: its store's path relative to the lab's root; "" where that is not in the lab.
        challenge: dns, http, tls or "".
        provider: the DNS provider's code.
        server: the ACME directory; "" is Let's Encrypt's own.
    """

    name: str
    store: str
    challenge: str = ""
    provider: str = ""
    server: str = ""


@dataclass(frozen=True, slots=True)
class ResolverError:
    """Something a resolver logged that went wrong: ``kind`` is one of ``core.certs.resolver_log.KINDS``."""

    when: float
    resolver: str
    domains: tuple[str, ...]
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class CertFacts:
    """All that was seen of a lab's certificates, for a judgement.

    Args:
        now: Unix seconds.
        domain: the lab's.
        hosts: host -> ``stack/service`` that answers to it.
        served: host -> what TLS showed.
        stored: what Traefik's stores hold.
        resolvers: how Traefik gets certificates.
        errors: what its resolvers logged lately, oldest first.
        unread: why a store or log could not be looked at, a sentence each.
        traefik: ``stack/service`` of the lab's Traefik; "" where there is none.
        running: whether it runs.
        started: when it was started, Unix seconds; 0 where that is not known.
        clock_off: seconds this machine's clock is ahead of a server's that was asked; None where none was.
        resolved: host -> its addresses in DNS: None where no answer came, () where it has none; bad routes alone.
        caa: host -> what its CAA records say: None where no answer came, () where there are none; bad routes alone.
        renewals: (Unix seconds, main name) of the renewals that the journal knows of.
    """

    now: float
    domain: str = ""
    hosts: dict[str, str] = field(default_factory=dict)
    served: dict[str, Served] = field(default_factory=dict)
    stored: tuple[Stored, ...] = ()
    resolvers: tuple[Resolver, ...] = ()
    errors: tuple[ResolverError, ...] = ()
    unread: tuple[str, ...] = ()
    traefik: str = ""
    running: bool = True
    started: float = 0.0
    clock_off: float | None = None
    resolved: dict[str, tuple[str, ...] | None] = field(default_factory=dict)
    caa: dict[str, tuple[str, ...] | None] = field(default_factory=dict)
    renewals: tuple[tuple[float, str], ...] = ()
