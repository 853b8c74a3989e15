"""Waits until new certificates are served: asked by TLS with each host's name, as a browser would see it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from homelab_mcp.core.certs.report import when
from homelab_mcp.core.certs.resolver_log import resolver_errors
from homelab_mcp.core.redact import safe
from homelab_mcp.model.certificate import ResolverError, Served
from homelab_mcp.model.errors import EngineFailed
from homelab_mcp.model.plan import CertificateCheck, Evidence
from homelab_mcp.ports import Clock, Engine, Probe

POLL = 0.5
_LOG_LINES = 500
_GRACE = 2.0
"""Seconds that a served certificate may lag behind a failure in the log that is another's."""


class CertificateWatch:
    """Gathers evidence of what is served; what Traefik's own log says of a failure ends the wait at once."""

    def __init__(self, engine: Engine, probe: Probe, clock: Clock) -> None:
        self._engine = engine
        self._probe = probe
        self._clock = clock

    def watch(self, checks: Sequence[CertificateCheck], pause: Callable[[], None]) -> list[Evidence]:
        """Evidence for each host, in order; the first that does not hold is the last.

        A host holds when it is served with a trusted certificate of another serial number that began later.
        ``pause`` is called between two looks; it may raise to stop.
        """
        begun = self._clock.monotonic()
        started = self._clock.now()
        found: list[Evidence] = []
        for check in checks:
            found.append(self._one(check, begun, started, pause))
            if not found[-1].ok:
                break
        return found

    def _one(self, check: CertificateCheck, begun: float, started: float, pause: Callable[[], None]) -> Evidence:
        failed_at: float | None = None
        while True:
            served = self._probe.certificate(check.host)
            if _renewed(served, check):
                return _good(served, check, self._clock.monotonic() - begun)
            now = self._clock.monotonic()
            if (gone := self._gone(check)) is not None:
                return gone
            failure = self._failure(check)
            if failure is not None:
                failed_at = now if failed_at is None else failed_at
                if now - failed_at >= _GRACE:
                    text = f"{check.host} got no new certificate: {failure.kind.replace('_', ' ')}"
                    return Evidence(text, ok=False, detail=f"log (untrusted data): {safe(failure.text)}")
            if now - begun >= check.patience:
                return Evidence(
                    f"{check.host} is not served with a new certificate after {now - begun:.0f} s",
                    ok=False,
                    detail=_seen(served),
                )
            pause()
            self._clock.sleep(POLL)

    def _gone(self, check: CertificateCheck) -> Evidence | None:
        """Traefik itself, where it fell."""
        for one in self._engine.containers(check.stack):
            if one.service == check.service and one.state in {"exited", "dead", "restarting"}:
                return Evidence(f"{check.service} did not stay up ({one.state})", ok=False, detail=one.status)
        return None

    def _failure(self, check: CertificateCheck) -> ResolverError | None:
        """What Traefik logged of this host's certificate since it was last started."""
        parent = check.host.partition(".")[2]
        mine = {check.host, parent, f"*.{parent}"}
        for one in self._engine.containers(check.stack):
            if one.service != check.service:
                continue
            try:
                since = self._engine.inspect(one.id).started_at
                lines = [row for row in self._engine.logs(one.id, tail=_LOG_LINES) if row[0] >= since]
            except EngineFailed:
                continue
            for error in reversed(resolver_errors(lines)):
                if not error.domains or mine & set(error.domains):
                    return error
        return None


def _renewed(served: Served, check: CertificateCheck) -> bool:
    found = served.certificate
    return bool(found and served.verified and found.serial != check.serial and found.not_before > check.since)


def _good(served: Served, check: CertificateCheck, waited: float) -> Evidence:
    found = served.certificate
    assert found is not None  # noqa: S101 - it was judged renewed
    detail = f"valid from {when(found.not_before)} until {when(found.not_after)}; seen after {waited:.0f} s"
    return Evidence(f"{check.host} is served with the new certificate {found.serial}, trusted", ok=True, detail=detail)


def _seen(served: Served) -> str:
    if served.certificate is None:
        return f"No answer: {safe(served.problem)[:300]}"
    said = f"serial {served.certificate.serial}, {safe(served.certificate.subject)[:100]}"
    return f"It shows {said}; {'trusted' if served.verified else safe(served.problem)[:200] or 'not trusted'}."
