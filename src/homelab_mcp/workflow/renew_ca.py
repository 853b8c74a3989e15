"""A person's change of the authority that Docker hosts' certificates come from: what is next, and doing it."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.hosts import CaHost, CaStage
from homelab_mcp.model.lab import PRIVATE_FOLDER
from homelab_mcp.ports import Lab

_REMOTE_FOLDER = "/etc/docker/tls"
_SAYS = {
    CaStage.OLD: "has only certificates of the old CA",
    CaStage.COPY: "still shows its old certificate",
    CaStage.SWITCH: "shows its new certificate and trusts both CAs",
    CaStage.NARROW: "still trusts the old CA as well",
    CaStage.DONE: "trusts the new CA alone",
    CaStage.UNASKED: "is in no hosts.yaml: nobody looks how far it is, and it holds nothing up",
}


def ca_renewal(lab: Lab, ca_key: str = "") -> dict[str, Any]:
    """How far each host is with a new CA, and what is next for a person and for ``--next``.

    ``under_way``; ``hosts`` with ``host``, ``stage``, ``says`` and perhaps ``error``; ``next``, in words. ``ca_key``
    is where the old CA's key is kept, if not in the lab's private folder. Nothing is written but the rest of what a
    crash left half-done. Raises NotFound (``tls_ca_missing``), InvalidInput (``tls_ca_unreadable``).
    """
    return _told(lab, lab.hosts.ca_look(ca_key))


def step_ca(lab: Lab, days: int, *, begin: bool, ca_key: str = "") -> dict[str, Any]:
    """Begin, or carry on as far as the hosts are; as ``ca_renewal`` afterwards.

    Args:
        lab: the lab.
        days: how long new certificates hold.
        begin: a new CA is wanted; else one must be on its way.
        ca_key: where the old CA's key is kept, if not in the lab's private folder; it is only read.

    Raises InvalidInput (``ca_under_way``, ``no_ca_under_way``, ``tls_ca_unreadable``), NotFound (``tls_missing``,
    ``tls_ca_missing``), StorageFailed, LabLocked.
    """
    with lab.lock.hold("host renew-ca"):
        under_way = lab.hosts.ca_look(ca_key) is not None
        if begin and under_way:
            raise InvalidInput(
                "A new CA is on its way already.", hint="`--next` carries on with it.", code="ca_under_way"
            )
        if not begin and not under_way:
            raise InvalidInput("No new CA is on its way.", hint="`--begin` makes one.", code="no_ca_under_way")
        now = lab.hosts.ca_step(days, ca_key)
        what = "begun" if begin else "carried on" if now is not None else "finished"
        lab.journal.append("host_ca", {"what": what})
    told = _told(lab, now)
    if now is None:
        away = ca_key and not _is_the_labs(lab, ca_key)
        key = f"its key at {ca_key} is yours to destroy" if away else "the old one's key is overwritten"
        told["next"] = [f"The new CA has taken the old one's place; {key}."]
    return told


def _is_the_labs(lab: Lab, ca_key: str) -> bool:
    """Whether that is where the lab itself keeps its CA's key, which by the end is the new one's."""
    own = Path(lab.root) / PRIVATE_FOLDER / "tls/ca/ca-key.pem"
    return Path(ca_key).expanduser().resolve() == own.resolve()


def _told(lab: Lab, looked: tuple[CaHost, ...] | None) -> dict[str, Any]:
    found = looked or ()
    steps = [step for one in found for step in _steps(one, _reached(lab, one.name), lab.root)]
    if looked is None:
        steps = [
            "No new CA is on its way. `homelab-mcp host renew-ca --begin` makes one; every host goes on answering."
        ]
    elif not found:
        steps = [
            "No host has certificates made here any more, so nobody has to be waited for.",
            "Now: homelab-mcp host renew-ca --next",
            "Then for each host: homelab-mcp host tls NAME --name ITS-NAME",
        ]
    elif any(one.stage in {CaStage.OLD, CaStage.SWITCH} for one in found) or all(
        one.stage in {CaStage.DONE, CaStage.UNASKED} for one in found
    ):
        steps.append("Now: homelab-mcp host renew-ca --next")
    else:
        steps.append("Then: homelab-mcp host renew-ca --next")
    rows = [
        {
            "host": one.name,
            "stage": str(one.stage),
            "says": _SAYS[one.stage],
            **({"error": one.error} if one.error else {}),
        }
        for one in found
    ]
    return {"under_way": looked is not None, "hosts": rows, "next": steps}


def _steps(one: CaHost, reached: str, root: str) -> list[str]:
    folder = shlex.quote(f"{root}/{PRIVATE_FOLDER}/tls/{one.name}/server")
    if one.error and one.stage is CaStage.OLD:
        return [f"{one.name}: {one.error}"]
    if one.error and one.stage is not CaStage.COPY:
        return [f"{one.name}: {one.error} Bring it back, or take it out of hosts.yaml."]
    if one.stage is CaStage.COPY:
        copy = f"{one.name}: scp -p {folder}/*.pem root@{reached}:{_REMOTE_FOLDER}/ and restart Docker there."
        return [copy, *([f"{one.name}: {one.error}"] if one.error else [])]
    if one.stage is CaStage.NARROW:
        return [f"{one.name}: scp -p {folder}/ca.pem root@{reached}:{_REMOTE_FOLDER}/ and restart Docker there."]
    if one.stage is CaStage.UNASKED:
        return [
            f"{one.name}: if it still runs, copy {folder}/*.pem to it and restart Docker there, now and at the end."
        ]
    return []


def _reached(lab: Lab, name: str) -> str:
    """By what ``ssh`` finds it: its address, else its name here."""
    host = lab.hosts.settings.hosts.get(name)
    return (urlsplit(host.address).hostname if host else None) or name
