"""A certificate authority's rate limits, and how near a lab is to them.

Figures: Let's Encrypt, letsencrypt.org/docs/rate-limits (12 June 2025). Each limit is a bucket that refills evenly over
its window. What this lab can count is its own: other machines that share the domain count as well, so a limit may be
nearer than is told here, never further.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from homelab_mcp.model.certificate import CertFacts, Resolver, Stored

HOUR = 3600.0
WEEK = 7 * 24 * HOUR
PER_DOMAIN = 50
SAME_NAMES = 5
FAILED = 5
_COUNTED = "https://acme-v02.api.letsencrypt.org/directory"


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit: ``used`` of ``most`` in ``window`` seconds; ``free_at`` is when there is room for one more again."""

    name: str
    what: str
    used: int
    most: int
    window: float
    free_at: float = 0.0

    @property
    def full(self) -> bool:
        """Whether one more would be refused."""
        return self.used >= self.most


def counts(resolver: Resolver) -> bool:
    """Whether the resolver asks a CA whose limits are these: Let's Encrypt's own directory, not its staging one."""
    return resolver.server in ("", _COUNTED)


def limits(facts: CertFacts) -> list[Limit]:
    """Every limit with what is known of its use, those with most use first; none where no resolver's CA has them.

    Certificates are counted by when they begin (Let's Encrypt dates them an hour back), failures by the log.
    """
    counted = {r.name for r in facts.resolvers if counts(r)}
    if not counted:
        return []
    mine = [s for s in facts.stored if s.resolver in counted and s.certificate]
    week = [s for s in mine if s.certificate and facts.now - s.certificate.not_before < WEEK]
    found = [_limit("certificates a week", facts.domain or "the domain", _begun(week), PER_DOMAIN, WEEK)]
    for names in {tuple(sorted(s.domains)) for s in week}:
        times = _begun([s for s in week if tuple(sorted(s.domains)) == names])
        # The store keeps the last of each alone; earlier ones are known from the journal.
        earlier = [t for t, main in facts.renewals if main in names and facts.now - t < WEEK]
        times += [t for t in earlier if not any(abs(t - b) < 2 * HOUR for b in times)]
        found.append(_limit("certificates for the same names a week", ", ".join(names), times, SAME_NAMES, WEEK))
    hour = [e for e in facts.errors if e.resolver in counted and facts.now - e.when < HOUR]
    for domain in sorted({d for e in hour for d in e.domains}):
        times = [e.when for e in hour if domain in e.domains]
        found.append(_limit("failed validations an hour", domain, times, FAILED, HOUR))
    return sorted(found, key=lambda one: one.used / one.most, reverse=True)


def in_the_way(facts: CertFacts, wanted: Sequence[Stored]) -> list[Limit]:
    """The limits that would refuse to renew these."""
    names = {", ".join(sorted(s.domains)) for s in wanted} | {d for s in wanted for d in s.domains}
    return [one for one in limits(facts) if one.full and (one.what in names or one.name == "certificates a week")]


def _begun(stored: Sequence[Stored]) -> list[float]:
    return sorted(s.certificate.not_before for s in stored if s.certificate)


def _limit(name: str, what: str, times: Sequence[float], most: int, window: float) -> Limit:
    times = sorted(times)
    free_at = times[-1] + window / most if len(times) >= most else 0.0
    return Limit(name, what, len(times), most, window, free_at)
