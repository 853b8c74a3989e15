"""Gathers, once, what a diagnosis of one service is made from: nothing is changed, nothing is run in a container."""

from __future__ import annotations

import contextlib
import posixpath
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from homelab_mcp.core.checks import lint
from homelab_mcp.core.checks.service_view import ServiceView
from homelab_mcp.core.checks.view import Lab as LintedLab
from homelab_mcp.core.checks.view import StackView
from homelab_mcp.core.compose_model import Text, is_external
from homelab_mcp.core.diagnosis.known_lines import LENGTH, LINES, may_last, settled_since
from homelab_mcp.core.fingerprint import touched_stacks
from homelab_mcp.core.operations.container_edit import image_parts
from homelab_mcp.core.stack_host import refuse_silent
from homelab_mcp.model.diagnosis import ContainerFacts, Facts, HostPath, Other, RouteFacts, Signature
from homelab_mcp.model.errors import EngineFailed, EngineUnavailable, HomelabError
from homelab_mcp.model.lab import LOCAL
from homelab_mcp.model.observed import ContainerState
from homelab_mcp.model.plan import PlanState
from homelab_mcp.ports import Engine, Lab, Place
from homelab_mcp.queries.diagnose_route import route_of
from homelab_mcp.queries.find import find_in, read_stacks
from homelab_mcp.queries.lab_facts import lab_facts, lint_settings
from homelab_mcp.queries.lab_stacks import lint_stacks

_PLANS = 40
_MOST_CONTAINERS = 4


def facts_of(
    lab: Lab, word: str, stack: str = "", *, error: str = "", probe: bool = True, signatures: tuple[Signature, ...] = ()
) -> Facts:
    """Everything about one service of the lab.

    Args:
        lab: the lab.
        word: the service (``service``, ``stack/service`` or a container's name).
        stack: its stack, where the name is in several.
        error: what the person saw.
        probe: ask its route too.
        signatures: known lines of logs.

    Raises:
        NotFound, InvalidInput: no such service, or several.
        EngineUnavailable: Docker does not answer, so that nothing could be told.
    """
    stacks = read_stacks(lab.files)
    stack, service = find_in(stacks, word, stack)
    linted = lint_stacks(lab.files, stacks)
    facts = lab_facts(lab)
    view = LintedLab([StackView(one) for one in linted], facts)
    mine = next(s for s in view.services if (s.stack.name, s.name) == (stack, service))
    home = mine.stack.host
    # All of it is asked of the stack's own host; what only a look at that machine's disk could tell stays unsaid.
    engine = lab.engine if home == LOCAL else lab.hosts.engine(home)
    listed = lab.engine.containers()
    refuse_silent(lab.engine.silent(), {home})
    own = [c for c in listed if (c.stack, c.service) == (stack, service)]
    containers = tuple(_contained(lab, own))
    hide = lab.redactor.safe
    missing, required = _missing(mine)
    compose_error, hashes = _compose(lab, stack)
    puid = _puid(mine)
    findings = lint(
        linted, report=[f.file for f in mine.stack.files], facts=facts, settings=lint_settings(lab), fixes=True
    )
    disk = lab.hardware.place(lab.root) if home == LOCAL else Place("")
    others = tuple(_others(view, listed, (stack, service)))
    networks = engine.networks()
    recent = _recent(lab, stack)
    logs, before = _logs(lab, own, containers, error, recent)
    found = Facts(
        stack=stack,
        service=service,
        image=mine.image,
        body=mine.data,
        containers=tuple(_masked(c, hide) for c in containers),
        logs=logs,
        logs_before=before,
        compose_error=hide(compose_error),
        missing=missing,
        required=required if compose_error else (),
        depends=tuple(_names(mine.data.get("depends_on"))),
        gateway=mine.network_mode.removeprefix("service:") if mine.network_mode.startswith("service:") else "",
        others=others,
        networks=networks,
        wanted_networks=tuple(_external(mine, "networks", list(mine.networks))),
        volumes=engine.volumes(),
        wanted_volumes=tuple(_external(mine, "volumes", [m.source for m in mine.mounts if m.kind == "volume"])),
        image_here=_image_here(engine, mine),
        tags=_tags(engine, mine),
        host_architecture=_architecture(engine),
        takers=dict(_takers(lab, mine, listed, running=any(c.state.state == "running" for c in containers))),
        paths=tuple(_paths(lab, mine)) if home == LOCAL else (),
        puid=puid,
        free=disk.free,
        total=disk.total,
        findings=tuple(
            (f.rule, str(f.severity), f.message, f.fix is not None) for f in findings if f.service == service
        ),
        recent=recent,
        drift=bool(hashes.get(service)) and any(c.config_hash not in ("", hashes[service]) for c in own),
        lazy=mine.label("sablier.enable").lower() == "true",
        error=hide(error),
        signatures=signatures,
    )
    route = route_of(lab, view, mine, others, probe=probe)
    return _with_route(found, route)


def _with_route(found: Facts, route: RouteFacts | None) -> Facts:
    from dataclasses import replace

    return replace(found, route=route)


def _contained(lab: Lab, own: list[ContainerState]) -> Iterator[ContainerFacts]:
    for one in own[:_MOST_CONTAINERS]:
        with contextlib.suppress(EngineFailed):
            yield lab.engine.facts(one.id)


def _masked(one: ContainerFacts, hide: Callable[[str], str]) -> ContainerFacts:
    from dataclasses import replace

    return replace(
        one,
        error=hide(one.error)[:1000],
        health_test=hide(one.health_test)[:500],
        health_log=tuple(hide(line)[:LENGTH] for line in one.health_log),
    )


def _logs(
    lab: Lab,
    own: list[ContainerState],
    seen: Sequence[ContainerFacts],
    error: str,
    recent: tuple[str, str, float] | None,
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The log of the present run where that is all that counts, and the whole where a fault of before may last."""
    if not own:
        return (), ()
    now = lab.clock.now()
    state = next((c.state for c in seen if c.state.id == own[0].id), own[0])
    since = settled_since(state, now)
    lines = tuple(_lines(lab, state.id, since))
    changed = now - recent[2] if recent else None
    if since is None or not may_last(state, since, now, error=error, changed=changed):
        return lines, ()
    return lines, tuple(_lines(lab, state.id, None))


def _lines(lab: Lab, container: str, since: float | None) -> Iterator[str]:
    with contextlib.suppress(EngineFailed):
        lines = [text[:LENGTH] for _, _, text in lab.engine.logs(container, tail=LINES, since=since)]
        # Masked at once, so that what spans lines is seen.
        yield from lab.redactor.safe("\n".join(lines)).split("\n")


def _missing(mine: ServiceView) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names of variables without a value, and those of them without which Compose stops (of any of the stack)."""
    found: dict[str, bool] = {}

    def walk(value: Any) -> None:
        if isinstance(value, Text):
            for one in value.missing:
                if one.name:
                    found[one.name] = found.get(one.name, False) or one.required
        elif isinstance(value, dict):
            for inner in value.values():
                walk(inner)
        elif isinstance(value, list):
            for inner in value:
                walk(inner)

    walk(mine.data)
    return tuple(found), tuple(name for name, required in found.items() if required)


def _compose(lab: Lab, stack: str) -> tuple[str, dict[str, str]]:
    """What Compose objects to, and the hashes that ``up`` would label containers with."""
    try:
        return "", lab.compose.hashes(stack)
    except EngineFailed as error:
        return str(error.details.get("output") or error.message), {}
    except EngineUnavailable:
        raise
    except HomelabError as error:
        return error.message, {}


def _names(part: Any) -> Iterator[str]:
    yield from (str(n) for n in (part if isinstance(part, (list, dict)) else ()))


def _external(mine: ServiceView, section: str, keys: list[str]) -> Iterator[str]:
    """The engine's names of those parts of the file that are to be there already."""
    for key in keys:
        body = mine.stack.section(section).get(key)
        if isinstance(body, dict) and is_external(body):
            yield str(body.get("name") or key)


def _image_here(engine: Engine, mine: ServiceView) -> bool | None:
    image = mine.image
    if not image or "@" in image or "build" in mine.data:
        return None
    name = image if ":" in image.rsplit("/", 1)[-1] else f"{image}:latest"
    short = name.removeprefix("docker.io/").removeprefix("library/")
    return bool(engine.images() & {name, short})


def _tags(engine: Engine, mine: ServiceView) -> tuple[str, ...]:
    """Other tags of its image that the engine has, the highest first."""
    repository, tag = image_parts(mine.image)
    short = repository.removeprefix("docker.io/").removeprefix("library/")
    found = (image_parts(one) for one in engine.images())
    tags = {t for r, t in found if r == short and t and t != tag}
    return tuple(sorted(tags, key=lambda t: [int(n) for n in re.findall(r"\d+", t)], reverse=True))


def _architecture(engine: Engine) -> str:
    try:
        return engine.info().architecture
    except EngineFailed:
        return ""


def _takers(
    lab: Lab, mine: ServiceView, listed: tuple[ContainerState, ...], *, running: bool
) -> Iterator[tuple[int, str]]:
    """Host ports that it publishes and others hold; a program of the host only where it does not run itself."""
    for entry, published in mine.published:
        if published.host is None or published.picks or published.protocol != "tcp":
            continue
        del entry
        for port in range(published.host[0], min(published.host[1], published.host[0] + 20) + 1):
            around = (c for c in listed if c.host == ("" if mine.stack.host == LOCAL else mine.stack.host))
            holders = [c for c in around if any(p.host_port == port and p.protocol == "tcp" for p in c.ports)]
            strangers = [c for c in holders if (c.stack, c.service) != (mine.stack.name, mine.name)]
            if strangers:
                yield port, f"{strangers[0].stack}/{strangers[0].service}"
            elif not holders and not running and mine.stack.host == LOCAL and lab.hardware.listens(port):
                yield port, "a program of this machine"


def _paths(lab: Lab, mine: ServiceView) -> Iterator[HostPath]:
    for mount in mine.mounts:
        if mount.kind == "bind" and not mount.open and not mount.source.endswith(".sock"):
            yield _path(lab, mine.stack.name, mount.source, mount.target, mount.read_only)
    for item in mine.data.get("secrets") or ():
        name = str(item.get("source", "")) if isinstance(item, dict) else str(item)
        body = mine.stack.section("secrets").get(name)
        if isinstance(body, dict) and isinstance(body.get("file"), str):
            yield _path(lab, mine.stack.name, body["file"], f"secret {name}", True)


def _path(lab: Lab, stack: str, source: str, target: str, read_only: bool) -> HostPath:
    whole = source if source.startswith("/") else posixpath.normpath(f"{lab.root}/{stack}/{source}")
    seen = lab.hardware.place(whole)
    return HostPath(target, source, seen.kind, seen.uid, seen.gid, seen.mode, seen.free, seen.total, read_only)


def _puid(mine: ServiceView) -> int:
    user = str(mine.data.get("user") or "").partition(":")[0]
    entry = mine.environment.get("PUID")
    value = user or (entry.value if entry and entry.value else "")
    return int(value) if value.isdigit() else -1


def _recent(lab: Lab, stack: str) -> tuple[str, str, float] | None:
    """The last apply that touched the stack: plan id, summary, seconds ago."""
    now = lab.clock.now()
    held = [(s.updated, p) for p, s in lab.plans.list(_PLANS) if s.state is PlanState.DONE]
    for when, plan in sorted(held, key=lambda row: -row[0]):
        if stack in touched_stacks(plan.draft):
            return plan.id, plan.draft.summary, max(now - when, 0.0)
    return None


def _others(view: LintedLab, listed: tuple[ContainerState, ...], me: tuple[str, str]) -> Iterator[Other]:
    by_place: dict[tuple[str, str], list[ContainerState]] = {}
    for one in listed:
        by_place.setdefault((one.stack, one.service), []).append(one)
    for service in view.services:
        place = (service.stack.name, service.name)
        if place == me:
            continue
        rank = {"running": 0, "restarting": 1, "paused": 2}
        best = min(by_place.get(place, ()), key=lambda c: rank.get(c.state, 3), default=None)
        networks = frozenset(best.networks) if best else service.real_networks
        yield Other(*place, best.state if best else "absent", best.health if best else "", networks)
