"""How the machine is that the lab runs on, with Docker's own part of it."""

from __future__ import annotations

from typing import Any

from homelab_mcp.core.host_findings import as_dict, judged
from homelab_mcp.core.prerequisites import HOME_DOMAIN
from homelab_mcp.core.redact import clean
from homelab_mcp.model.errors import HomelabError, InvalidInput
from homelab_mcp.model.lab import LOCAL
from homelab_mcp.ports import Lab

REGISTRY = "registry-1.docker.io"
"""Where images without a registry in their name come from; who cannot resolve it can update nothing."""

DAEMON_LOG = (
    "Docker's daemon keeps it in the host's journal, which is not read from here: a person runs `journalctl -u docker`."
)


def host_health(lab: Lab, *, top: int = 8, find: str = "", disk: bool = True, host: str = "") -> dict[str, Any]:
    """Findings first, then figures; what cannot be seen is told with the reason.

    Args:
        lab: the lab.
        top: processes that are shown.
        find: only processes with this in their name or command line.
        disk: also ask Docker for its classes, which takes seconds where there is much.
        host: another Docker host, of which its engine tells; "all" for a line on each.

    Raises:
        NotFound: no such host.
        InvalidInput: another host is asked for, and Docker is left out (``plan_needs_docker``).
    """
    if host not in ("", LOCAL):
        if lab.files_only:
            raise InvalidInput(
                "Another host tells only through Docker, which is left out (files only).",
                code="plan_needs_docker",
                hint="Run without --files-only.",
            )
        from homelab_mcp.queries.hosts import looked

        return {key: _clean(value) for key, value in looked(lab, () if host == "all" else (host,)).items()}
    health = lab.host.health(names=_names(lab), find=find)
    docker, names = _docker(lab, disk=disk)
    findings = [{"level": c.level, "what": c.sentence, "do": c.hint} for c in judged(health)]
    if problem := docker.get("error"):
        findings.insert(0, {"level": "fail", "what": str(problem), "do": ""})
    body = {"findings": findings, **as_dict(health, names, top=30 if find else top), "docker": docker}
    if find:
        body["found"] = len(health.processes)
        body["ending_them"] = (
            "Not done by homelab-mcp: a person runs `kill PID`, then `kill -9 PID`; state D ends by no signal."
        )
    return {key: _clean(value) for key, value in body.items()}


def _names(lab: Lab) -> tuple[str, ...]:
    try:
        domain = lab.settings.domain
    except HomelabError:
        return (REGISTRY,)
    return (REGISTRY,) if domain == HOME_DOMAIN else (REGISTRY, domain)


def _docker(lab: Lab, *, disk: bool) -> tuple[dict[str, Any], dict[str, str]]:
    if lab.files_only:
        return {"asked": False}, {}
    try:
        info = lab.engine.info()
        names = {c.id: f"{c.stack}/{c.service}" for c in lab.engine.containers()}
        body: dict[str, Any] = {
            "version": info.version,
            "storage_driver": info.storage_driver,
            "containers_running": info.containers_running,
            "its_own_log": DAEMON_LOG,
        }
        if disk:
            body["disk_gb"] = {
                d.name: {"count": d.count, "size": round(d.size / 2**30, 2), "unused": round(d.unused / 2**30, 2)}
                for d in lab.meter.disk()
            }
            body["freeing_it"] = (
                "Not done by homelab-mcp: a person runs `docker image prune -a` for images that nothing uses, and "
                "`docker builder prune` for the build cache; never `docker volume prune` without a look at each."
            )
        return body, names
    except HomelabError as error:
        return {"error": error.as_text(), "its_own_log": DAEMON_LOG}, {}


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {key: _clean(one) for key, one in value.items()}
    return [_clean(one) for one in value] if isinstance(value, list) else value
