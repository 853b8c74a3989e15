"""Alert rules for what is watched: a rule whose figures nobody gives is left out, for it could never fire."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from homelab_mcp.core.monitoring import mapped


@dataclass(frozen=True, slots=True)
class Rule:
    """One alert: ``needs`` is the definition whose figures it reads ("" for any), ``wait`` how long it must hold."""

    name: str
    needs: str
    expr: str
    wait: str
    severity: str
    summary: str


_REAL = 'fstype!~"tmpfs|overlay|squashfs|ramfs|nsfs|fuse.*",mountpoint!~"/(run|boot/efi|var/lib/docker)($|/.*)"'

RULES: tuple[Rule, ...] = (
    Rule("TargetDown", "", "up == 0", "5m", "warning", "{{ $labels.job }} gives Prometheus no answer."),
    Rule(
        "HostDiskAlmostFull",
        "node-exporter",
        f"node_filesystem_avail_bytes{{{_REAL}}} / node_filesystem_size_bytes{{{_REAL}}} < 0.10",
        "15m",
        "critical",
        "Less than a tenth of {{ $labels.mountpoint }} is free.",
    ),
    Rule(
        "HostDiskFullInADay",
        "node-exporter",
        f"predict_linear(node_filesystem_avail_bytes{{{_REAL}}}[6h], 86400) < 0"
        f" and node_filesystem_avail_bytes{{{_REAL}}} / node_filesystem_size_bytes{{{_REAL}}} < 0.3",
        "1h",
        "warning",
        "{{ $labels.mountpoint }} is full within a day if it goes on like this.",
    ),
    Rule(
        "HostMemoryLow",
        "node-exporter",
        "node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes < 0.08",
        "10m",
        "warning",
        "Less than a twelfth of the host's memory is available.",
    ),
    Rule(
        "HostOutOfMemoryKill",
        "node-exporter",
        "increase(node_vmstat_oom_kill[15m]) > 0",
        "0m",
        "critical",
        "The kernel ended a process for lack of memory.",
    ),
    Rule(
        "ContainerRestarting",
        "cadvisor",
        'changes(container_start_time_seconds{name!=""}[15m]) > 3',
        "0m",
        "warning",
        "{{ $labels.name }} has started more than three times in a quarter of an hour.",
    ),
    Rule(
        "ContainerNearMemoryLimit",
        "cadvisor",
        'container_memory_working_set_bytes{name!=""} / (container_spec_memory_limit_bytes{name!=""} > 0) > 0.92',
        "10m",
        "warning",
        "{{ $labels.name }} uses nearly all the memory it may.",
    ),
    Rule(
        "RouteErrors",
        "traefik",
        'sum by (service) (rate(traefik_service_requests_total{code=~"5.."}[5m]))'
        " / sum by (service) (rate(traefik_service_requests_total[5m])) > 0.1",
        "10m",
        "warning",
        "More than a tenth of the answers of {{ $labels.service }} are errors.",
    ),
    Rule(
        "CertificateEnds",
        "traefik",
        "max by (cn) (traefik_tls_certs_not_after) - time() < 14 * 86400",
        "1h",
        "critical",
        "The certificate of {{ $labels.cn }} ends within two weeks: Traefik fails to renew it.",
    ),
    Rule(
        "RouteDown",
        "gatus",
        "max by (group, name) (gatus_results_endpoint_success) == 0",
        "5m",
        "critical",
        "{{ $labels.name }} does not answer as it should.",
    ),
)
"""Figures as named by node_exporter, cAdvisor, Traefik 3 and Gatus in their own documentation."""


def rules_text(kinds: Collection[str]) -> str:
    """The rules file for a lab in which these definitions are watched."""
    rules: list[dict[str, Any]] = [
        {
            "alert": r.name,
            "expr": r.expr,
            "for": r.wait,
            "labels": {"severity": r.severity},
            "annotations": {"summary": r.summary},
        }
        for r in RULES
        if not r.needs or r.needs in kinds
    ]
    return mapped({"groups": [{"name": "homelab", "rules": rules}]})
