"""When a certificate is due, and how Traefik comes to renew it."""

from __future__ import annotations

from homelab_mcp.model.certificate import Certificate

DAY = 86400.0
_PERIODS = ((365, 120.0), (90, 30.0), (30, 10.0), (6, 2.0), (1, 0.25))
_SHORTEST = 20 / 1440
_MARGIN = 0.9


def renew_days(certificate: Certificate) -> float:
    """Days before its end from which Traefik renews it (traefik/traefik pkg/provider/acme/renew.go, by lifetime)."""
    life = (certificate.not_after - certificate.not_before) / DAY
    return next((days for least, days in _PERIODS if round(life, 1) >= least - 0.5), _SHORTEST)


def due(certificate: Certificate, now: float) -> bool:
    """Whether it should be renewed by now, or has expired."""
    return certificate.days_left(now) <= renew_days(certificate)


def renewed_at_start(certificate: Certificate, now: float) -> bool:
    """Whether Traefik can be counted on to renew it when it starts, serving the old one until the new one is there.

    Within a tenth of the period a CA that says itself when to renew (RFC 9773) may tell Traefik to wait.
    """
    return certificate.days_left(now) <= renew_days(certificate) * _MARGIN
