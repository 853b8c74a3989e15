"""The step of an apply that takes certificates out of Traefik's store: what to remember, how, and the way back.

Traefik reads its store when it starts and writes it whole whenever it gets a certificate, so it is stopped first. Its
text is kept with the plan's undo data, encrypted; keys are in no other record.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from homelab_mcp.core.certs.store import put_back as joined
from homelab_mcp.core.certs.store import read_store, without
from homelab_mcp.model.errors import HomelabError, InvalidInput, PlanRefused
from homelab_mcp.model.plan import CertificateDrop, Evidence, Plan
from homelab_mcp.ports import Compose, Files

_MODE = 0o600
"""Traefik refuses a store that others may read (traefik/traefik pkg/provider/acme/local_store_unix.go)."""


def remember(files: Files, plan: Plan) -> dict[str, tuple[str | None, int]]:
    """Each store as it is, for the undo data: path -> (text, mode).

    Raises:
        PlanRefused: a certificate is no longer the one that the plan saw (``plan_stale``).
    """
    found: dict[str, tuple[str | None, int]] = {}
    for store, drops in _by_store(plan).items():
        text = files.read(store) or ""
        here = {s.certificate.serial for s in read_store(store, text) if s.certificate}
        gone = [d.name for d in drops if d.serial not in here]
        if gone:
            raise PlanRefused(
                f"Since the plan was made: Traefik replaced the certificate {gone[0]}.",
                code="plan_stale",
                hint="Ask for the plan again, if there is still something to renew.",
            )
        mode = files.mode(store)
        found[store] = (text, _MODE if mode is None else mode)
    return found


def carry_out(
    files: Files,
    compose: Compose | None,
    plan: Plan,
    kept: Callable[[], Mapping[str, tuple[str | None, int]]],
    step: Callable[[str], None],
) -> None:
    """Stop Traefik and take the plan's certificates out of its store. Raises InvalidInput, PlanRefused, EngineFailed.

    ``kept`` gives the plan's undo data.
    """
    for store, drops in _by_store(plan).items():
        if compose is None:
            raise InvalidInput("Traefik must be stopped for this, which needs Docker.", code="plan_needs_docker")
        step(f"stopping {drops[0].service}")
        compose.stop(drops[0].stack, [drops[0].service])
        text, mode = kept()[store]
        if files.read(store) != text:
            # Traefik got something in the second before it stopped; the store that was kept is no longer the last.
            raise PlanRefused(f"{store} was changed while the apply was at work.", code="plan_stale")
        step(f"taking {', '.join(d.name for d in drops)} out of {store}")
        files.write_atomic(store, without(store, text or "", [d.serial for d in drops]), mode)


def put_back(
    files: Files, compose: Compose | None, plan: Plan, kept: Mapping[str, tuple[str | None, int]]
) -> list[Evidence]:
    """Give the stores the certificates back that have no successor; Traefik stays down until containers are."""
    seen: list[Evidence] = []
    for store, drops in _by_store(plan).items():
        if store not in kept:
            continue
        before, mode = kept[store]
        serials = [d.serial for d in drops]
        try:
            now = files.read(store) or ""
            if joined(store, now, before or "", serials) == now:
                continue
            if compose is not None:
                compose.stop(drops[0].stack, [drops[0].service])
            text = joined(store, files.read(store) or "", before or "", serials)
            files.write_atomic(store, text, mode)
            whole = " as it was" if text == before else "; what Traefik got meanwhile stays"
            seen.append(Evidence(f"{', '.join(d.name for d in drops)} put back into {store}{whole}", ok=True))
        except (HomelabError, OSError) as error:
            told = error.message if isinstance(error, HomelabError) else str(error)
            seen.append(Evidence(f"{store} could not be put back", ok=False, detail=told))
    return seen


def _by_store(plan: Plan) -> dict[str, list[CertificateDrop]]:
    found: dict[str, list[CertificateDrop]] = {}
    for drop in plan.draft.drops:
        found.setdefault(drop.store, []).append(drop)
    return found
