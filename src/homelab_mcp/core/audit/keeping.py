"""What nobody could bring back, and what nobody would notice: backups and monitoring."""

from __future__ import annotations

from collections.abc import Iterator

from homelab_mcp.core.audit.facts import AuditFacts, AuditFinding, Remedy
from homelab_mcp.core.audit.linted import linted
from homelab_mcp.core.operations.lab_view import Known, expand
from homelab_mcp.core.operations.volume_edit import source_of
from homelab_mcp.model.finding import Severity

_BACKUPS = ("restic", "backrest", "duplicati", "kopia", "borgmatic", "borg", "duplicacy", "urbackup", "volume-backup")
_UPTIME = ("uptime-kuma", "gatus", "healthchecks", "statping", "checkmate", "kener")
_METRICS = ("prometheus", "netdata", "beszel", "victoria-metrics", "telegraf", "zabbix", "checkmk", "glances")
_SHOWN = 8


def backups(facts: AuditFacts) -> Iterator[AuditFinding]:
    """Every finding on backups. Whether one can be read back is not seen here: a trial restore says."""
    yield from linted(facts, "backups")
    services = facts.lab.services
    if facts.backup is not None:
        uncovered, problems = facts.backup
        for said in problems:
            yield AuditFinding("backup_problem", Severity.ERROR, "", said, "The backup's own record.")
        for said in uncovered:
            yield AuditFinding("not_in_backup", Severity.WARNING, "", said, "What the backup takes.")
        return
    if _any(services, _BACKUPS):
        return
    writes = sorted({s.where for s in services if facts.mine(s.stack) and keeps_data(s)})
    if writes and not facts.settings.backup_paths:
        more = f" and {len(writes) - _SHOWN} more" if len(writes) > _SHOWN else ""
        yield AuditFinding(
            "no_backup",
            Severity.WARNING,
            "",
            f"No service of this lab makes backups, and {len(writes)} keep data. One that runs outside of the lab is "
            "known once backup_paths in homelab.yaml names what it covers. configure_backup plans one.",
            ", ".join(writes[:_SHOWN]) + more,
        )


def monitoring(facts: AuditFacts) -> Iterator[AuditFinding]:
    """Every finding on monitoring."""
    checked = {one.where for one in facts.running or () if one.health}
    # The image may bring the check that the file lacks: then the engine has a word on its health.
    yield from (f for f in linted(facts, "monitoring") if not (f.id == "HL113" and f.service in checked))
    for one in facts.running or ():
        if one.health == "unhealthy":
            yield AuditFinding(
                "unhealthy",
                Severity.ERROR,
                one.where,
                "Its health check fails now: diagnose says why.",
                f"state {one.state}",
            )
    if not facts.lab.services:
        return
    if not _any(facts.lab.services, _UPTIME):
        yield AuditFinding(
            "no_uptime_monitor",
            Severity.INFO,
            "",
            "Nothing tells you when a route stops answering.",
            "None of the lab's images is a known uptime monitor.",
            Remedy("add_service", {"service": "uptime-kuma"}),
            ask=True,
        )
    if not _any(facts.lab.services, _METRICS):
        yield AuditFinding(
            "no_metrics",
            Severity.INFO,
            "",
            "Nobody keeps figures of load, memory and disks: what grew before it broke cannot be looked up.",
            "None of the lab's images is known to keep metrics.",
            Remedy("add_service", {"service": "beszel"}),
            ask=True,
        )


def _any(services: tuple[Known, ...], words: tuple[str, ...]) -> bool:
    images = [str(s.data.get("image", "")).partition("@")[0] for s in services]
    return any(word in image for image in images for word in words)


def keeps_data(service: Known) -> bool:
    """Whether it has a writable mount of a folder or volume that somebody would miss."""
    volumes = service.data.get("volumes")
    for volume in volumes if isinstance(volumes, list) else ():
        source = expand(source_of(volume), service.env)
        read_only = volume.get("read_only") if isinstance(volume, dict) else str(volume).endswith(":ro")
        system = source.startswith(("/dev", "/proc", "/sys", "/run", "/var/run", "/etc")) or source.endswith(".sock")
        if source and not read_only and not system:
            return True
    return False
