"""What watches the lab follows it: Prometheus' targets and rules, Gatus' visits, Grafana's sources and dashboard."""

from __future__ import annotations

from collections.abc import Iterator

from homelab_mcp.core import lazy
from homelab_mcp.core.access import all_routes
from homelab_mcp.core.derived import DerivedFile, LabAfter
from homelab_mcp.core.hosts import private_addresses
from homelab_mcp.core.monitoring import (
    ALERTMANAGERS_FILE,
    DASHBOARD_FILE,
    HEAD,
    MONITORS_FILE,
    RULES_FILE,
    SOURCES_FILE,
    TARGETS_FILE,
    alertmanagers_text,
    by_kind,
    mounted,
    reached,
    targets_of,
    targets_text,
)
from homelab_mcp.core.monitoring.dashboard import dashboard_text, sources_text
from homelab_mcp.core.monitoring.rules import rules_text
from homelab_mcp.core.monitoring.uptime import merges, monitors_text, watched
from homelab_mcp.core.operations.lab_view import Known
from homelab_mcp.model.errors import HomelabError
from homelab_mcp.model.lab import HOSTS_FILE


def monitoring(lab: LabAfter) -> Iterator[DerivedFile]:
    """The files of every watcher that was set up from the catalog and reads its folder."""
    kinds: set[str] = set()
    for prometheus in by_kind(lab.view, "prometheus"):
        kinds |= {t.kind for t in targets_of(lab.view, prometheus, lab.find, _addresses(lab)) if t.address}
        yield from _prometheus(lab, prometheus)
    for gatus in by_kind(lab.view, "gatus"):
        yield from _gatus(lab, gatus)
    lokis = by_kind(lab.view, "loki")
    for grafana in by_kind(lab.view, "grafana"):
        beside = [one for one in lokis if one.host == grafana.host]
        yield from _grafana(lab, grafana, kinds | ({"loki"} if beside else set()), beside)


def _prometheus(lab: LabAfter, prometheus: Known) -> Iterator[DerivedFile]:
    folder = mounted(prometheus, "/etc/prometheus")
    if not folder or TARGETS_FILE.removesuffix(".yml") not in (lab.read(f"{folder}/prometheus.yml") or ""):
        # Its own configuration reads none of these files.
        return
    addresses = _addresses(lab)
    targets = targets_of(lab.view, prometheus, lab.find, addresses)
    ways = [reached(prometheus, m, 9093, addresses)[0] for m in by_kind(lab.view, "alertmanager")]
    managers = [way for way in ways if way]
    me = ((prometheus.stack, prometheus.name),)
    why = " ".join(["What Prometheus asks follows the lab.", *(t.note for t in targets if not t.address)])
    yield _file(f"{folder}/{TARGETS_FILE}", targets_text(targets), why)
    yield _file(f"{folder}/{ALERTMANAGERS_FILE}", alertmanagers_text(managers), "Where alerts go follows the lab.")
    rules = rules_text({t.kind for t in targets if t.address})
    yield DerivedFile(f"{folder}/{RULES_FILE}", rules, "Alert rules follow what gives figures.", restart=me)


def _addresses(lab: LabAfter) -> dict[str, str]:
    """Private address by host; none where ``hosts.yaml`` cannot be read."""
    try:
        return private_addresses(lab.read(HOSTS_FILE))
    except HomelabError:
        return {}


def _gatus(lab: LabAfter, gatus: Known) -> Iterator[DerivedFile]:
    folder = mounted(gatus, "/config")
    if not folder or not merges(gatus):
        return
    path = f"{folder}/{MONITORS_FILE}"
    if not (lab.read(path) or HEAD).startswith(HEAD):
        # A file of that name that is not ours is somebody's own.
        return
    routes = watched(all_routes(lab.view, lab.settings), lazy.sleepers(lab.view))
    own = lab.read(f"{folder}/config.yaml") or ""
    text = monitors_text(routes, own_ca=bool(lab.settings.acme.root_certificate), others=own)
    yield _file(path, text, "Gatus visits every route of the lab but those of sleeping services.")


def _grafana(lab: LabAfter, grafana: Known, kinds: set[str], lokis: list[Known]) -> Iterator[DerivedFile]:
    me = ((grafana.stack, grafana.name),)
    sources = mounted(grafana, "/etc/grafana/provisioning/datasources")
    path = f"{sources}/{SOURCES_FILE}"
    if sources and (lokis or lab.read(path) is not None) and (lab.read(path) or HEAD).startswith(HEAD):
        yield DerivedFile(path, sources_text(lokis), "Grafana's data sources follow the lab.", restart=me)
    boards = mounted(grafana, "/etc/grafana/provisioning/dashboards")
    if boards and by_kind(lab.view, "prometheus"):
        yield _file(f"{boards}/{DASHBOARD_FILE}", dashboard_text(kinds), "Grafana's dashboard shows what is watched.")


def _file(path: str, text: str, why: str) -> DerivedFile:
    return DerivedFile(path, text, why)
