"""Grafana's dashboard of the lab and its further data sources, as files it provisions itself from."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from homelab_mcp.core.monitoring import host_of, mapped
from homelab_mcp.core.operations.lab_view import Known

_SCHEMA = 39
_WIDTH, _HEIGHT = 12, 8


@dataclass(frozen=True, slots=True)
class Panel:
    """One graph: the definition whose figures it shows, its title, query, legend and Grafana's name of the unit."""

    needs: str
    title: str
    expr: str
    legend: str
    unit: str = "short"
    kind: str = "timeseries"


PANELS: tuple[Panel, ...] = (
    Panel("gatus", "Routes that answer", "gatus_results_endpoint_success", "{{name}}", "bool_on_off", "stat"),
    Panel("", "Watched services that answer", 'up{job!="prometheus"}', "{{job}}", "bool_on_off", "stat"),
    Panel(
        "node-exporter",
        "Processor",
        '1 - avg(rate(node_cpu_seconds_total{mode="idle"}[5m]))',
        "in use",
        "percentunit",
    ),
    Panel(
        "node-exporter",
        "Memory",
        "1 - node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes",
        "in use",
        "percentunit",
    ),
    Panel(
        "node-exporter",
        "Disks",
        '1 - node_filesystem_avail_bytes{fstype!~"tmpfs|overlay|squashfs"}'
        ' / node_filesystem_size_bytes{fstype!~"tmpfs|overlay|squashfs"}',
        "{{mountpoint}}",
        "percentunit",
    ),
    Panel("node-exporter", "Load", "node_load5", "5 minutes"),
    Panel(
        "cadvisor",
        "Processor by container",
        'topk(10, sum by (name) (rate(container_cpu_usage_seconds_total{name!=""}[5m])))',
        "{{name}}",
        "percentunit",
    ),
    Panel(
        "cadvisor",
        "Memory by container",
        'topk(10, sum by (name) (container_memory_working_set_bytes{name!=""}))',
        "{{name}}",
        "bytes",
    ),
    Panel(
        "traefik",
        "Requests by route",
        "topk(10, sum by (service) (rate(traefik_service_requests_total[5m])))",
        "{{service}}",
        "reqps",
    ),
    Panel(
        "traefik",
        "Errors by route",
        'sum by (service) (rate(traefik_service_requests_total{code=~"5.."}[5m]))',
        "{{service}}",
        "reqps",
    ),
    Panel(
        "traefik",
        "Days left on certificates",
        "(max by (cn) (traefik_tls_certs_not_after) - time()) / 86400",
        "{{cn}}",
        "d",
    ),
    Panel("loki", "Errors in logs", '{container=~".+"} |~ "(?i)error|fatal|panic"', "", kind="logs"),
)


def dashboard_text(kinds: Collection[str]) -> str:
    """The dashboard's JSON with what these definitions give figures for; the data sources are picked at its top."""
    panels = [
        _panel(number, place, one)
        for place, (number, one) in enumerate(
            (n, p) for n, p in enumerate(PANELS, 1) if not p.needs or p.needs in kinds
        )
    ]
    sources = ["prometheus", *(["loki"] if "loki" in kinds else [])]
    whole = {
        "uid": "homelab-lab",
        "title": "Lab",
        "tags": ["homelab"],
        "timezone": "browser",
        "schemaVersion": _SCHEMA,
        "editable": False,
        "refresh": "1m",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {"list": [{"type": "datasource", "name": s, "label": s.title(), "query": s} for s in sources]},
        "panels": panels,
    }
    return json.dumps(whole, indent=1) + "\n"


def _panel(number: int, place: int, one: Panel) -> dict[str, Any]:
    kind = "loki" if one.kind == "logs" else "prometheus"
    source = {"type": kind, "uid": f"${{{kind}}}"}
    return {
        "id": number,
        "type": one.kind,
        "title": one.title,
        "datasource": source,
        "gridPos": {"h": _HEIGHT, "w": _WIDTH, "x": place % 2 * _WIDTH, "y": place // 2 * _HEIGHT},
        "fieldConfig": {"defaults": {"unit": one.unit}, "overrides": []},
        "options": {},
        "targets": [{"refId": "A", "datasource": source, "expr": one.expr, "legendFormat": one.legend}],
    }


def sources_text(lokis: Sequence[Known]) -> str:
    """The data sources beside Prometheus, which the definition brings: every Loki of the lab."""
    rows = [
        {
            "name": "Loki" if n == 0 else f"Loki {host_of(one)}",
            "type": "loki",
            "access": "proxy",
            "url": f"http://{host_of(one)}:3100",
        }
        for n, one in enumerate(lokis)
    ]
    return mapped({"apiVersion": 1, "datasources": rows})
