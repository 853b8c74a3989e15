"""Who holds the files and folders that a draft moves: those stand still meanwhile, whichever operation made it.

A container holds the very folder that it was made with. One that is not made anew goes on with what was put aside, and
writes there. The files say who will hold what; who holds it now Docker alone knows (``docker compose run``,
``volumes_from``, a service that the file calls otherwise since).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace

from homelab_mcp.core.after import stacks_after
from homelab_mcp.core.backup_config import ENGINE_LABEL
from homelab_mcp.core.database_folders import paths_of
from homelab_mcp.core.lazy import ENABLE
from homelab_mcp.core.operations.containers_back import all_services
from homelab_mcp.core.operations.data_places import used_elsewhere
from homelab_mcp.core.operations.lab_view import LabView, view
from homelab_mcp.core.operations.stack_paths import Root
from homelab_mcp.core.project_name import is_one_off
from homelab_mcp.core.stack_host import host_of
from homelab_mcp.core.stack_owner import by_folder
from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.lab import LOCAL, PRIVATE_FOLDER
from homelab_mcp.model.observed import ContainerState, Snapshot
from homelab_mcp.model.plan import ActionKind, Draft, EngineAction, Plan, Verification

_DOWN = frozenset({"exited", "created", "dead", "removing"})
_STOPS = frozenset({ActionKind.STOP, ActionKind.REMOVE})
_STARTS = frozenset({ActionKind.UP, ActionKind.START, ActionKind.RESTART, ActionKind.RECREATE})


def holders(
    draft: Draft, snapshot: Snapshot, *, root: Root = "", down: Collection[tuple[str, str]] = ()
) -> dict[str, tuple[str, ...]]:
    """Stack -> its services that run on what the draft moves, and that it does not remove.

    Who mounts more than a service's folder, as a file browser does, sees there what is put in its place. Where nobody
    knows what runs, all that the files start count. Those that are ``down`` count as if they ran.
    """
    homes = _homes(draft, snapshot)
    if not homes:
        return {}
    snapshot = by_folder(snapshot, _roots(root))
    seen = view(snapshot)
    brought = _brought(seen)
    users = [
        (place, who, paths)
        for host, paths in homes.items()
        for place, who in used_elsewhere(snapshot, "", paths, root=root, files=False, host=host).items()
        if place not in brought
    ]
    told = {(c.stack, c.service) for c, _ in _told(draft, snapshot, seen, root) if not is_one_off(c.labels)}
    removed = _removed(draft)
    found: dict[str, list[str]] = {}
    for one in seen.services:
        if {(one.stack, one.name), (one.stack, "")} & removed:
            continue
        if (one.stack, one.name) not in down and not _runs(snapshot, one.stack, one.name, one.data):
            continue
        named = any(one.where in who and _holds(place, paths, one.stack) for place, who, paths in users)
        if named or (one.stack, one.name) in told:
            found.setdefault(one.stack, []).append(one.name)
    return {stack: tuple(names) for stack, names in found.items()}


def strangers(draft: Draft, snapshot: Snapshot, *, root: Root = "") -> tuple[str, ...]:
    """Containers that run on what the draft moves and are of no service that the files know: no REMOVE takes them."""
    snapshot = by_folder(snapshot, _roots(root))
    seen = view(snapshot)
    known = {(s.stack, s.name) for s in seen.services}
    told = [c for c, looks in _told(draft, snapshot, seen, root) if not looks]
    return tuple(c.name for c in told if is_one_off(c.labels) or (c.stack, c.service) not in known)


def _lookers(draft: Draft, snapshot: Snapshot, root: Root) -> set[tuple[str, str]]:
    """(stack, service) of those who hold it by Docker's word, and only look in, with each of their containers."""
    told = [(c.stack, c.service, looks) for c, looks in _told(draft, snapshot, view(snapshot), root)]
    return {(stack, name) for stack, name, looks in told if looks and (stack, name, False) not in told}


def _told(draft: Draft, snapshot: Snapshot, seen: LabView, root: Root) -> list[tuple[ContainerState, bool]]:
    """Running containers that hold what moves on their host, by what Docker says they mount, and are not removed.

    And of each whether it only looks in from elsewhere, as who reads the logs of others does.
    """
    homes, roots = _homes(draft, snapshot), _roots(root)
    if not homes or not roots:
        return []
    volumes = paths_of(seen, root).volumes
    removed, brought = _removed(draft), _brought(seen)
    found = []
    for one in snapshot.every_container:
        paths, behind = homes.get(one.host or LOCAL, []), volumes.get(one.host or LOCAL, {})
        if not paths or one.state in _DOWN:
            continue
        # `docker compose rm` leaves those of `docker compose run` alone.
        if not is_one_off(one.labels) and {(one.stack, one.service), (one.stack, "")} & removed:
            continue
        places = {m: behind.get(m, "") or _in_lab(m, roots) for m in one.mounts}
        held = {m: p for m, p in places.items() if p not in {"", *brought} and _holds(p, paths, _own(one, p))}
        if held:
            looks = all(m in one.only_read and not p.startswith(f"{_own(one, p)}/") for m, p in held.items())
            found.append((one, looks))
    return found


def _own(one: ContainerState, place: str) -> str:
    """Of which stack's folders what a container mounts around them counts; "" for none.

    Who looks on from elsewhere (another stack, a container without one: a file browser, a backup) sees there what is
    put in its place. A container of ``docker compose run`` does one piece of work, and has files open.
    """
    return place.partition("/")[0] if is_one_off(one.labels) else one.stack


def _in_lab(path: str, roots: Sequence[str]) -> str:
    """A path of the machine as one of the lab; "" for the lab as a whole, and what is elsewhere or around it."""
    return next((path[len(r) + 1 :].rstrip("/") for r in roots if path.startswith(f"{r}/")), "")


def _roots(root: Root) -> list[str]:
    return [r.rstrip("/") for r in ((root,) if isinstance(root, str) else root) if r]


def _moved(draft: Draft) -> list[str]:
    return [p for m in draft.moves for p in (m.source, m.target) if p.partition("/")[0] != PRIVATE_FOLDER]


def _homes(draft: Draft, snapshot: Snapshot) -> dict[str, list[str]]:
    """Host -> what moves there: each has a disk of its own, and the same paths on it."""
    hosts = {s.name: host_of(s.compose_text) for s in snapshot.stacks}
    found: dict[str, list[str]] = {}
    for path in _moved(draft):
        found.setdefault(hosts.get(path.partition("/")[0], LOCAL), []).append(path)
    return found


def _removed(draft: Draft) -> set[tuple[str, str]]:
    return {(a.stack, s) for a in draft.actions if a.kind is ActionKind.REMOVE for s in a.services or ("",)}


def _brought(seen: LabView) -> frozenset[str]:
    """Where the backup of each host brings what is moved from there, and has it open no more."""
    return frozenset(f"{s.stack}/restore" for s in seen.services if s.labels.get(ENGINE_LABEL) == "engine")


def standing_still(
    draft: Draft, snapshot: Snapshot, taken: Sequence[Plan], *, root: Root = "", later: Sequence[Plan] = ()
) -> Draft:
    """The draft with those who hold what it moves removed before, and made anew after.

    Who stood still when that was moved by the applies that are ``taken`` back does so again, if it runs: they knew whom
    it concerns, who only reads a file of it among them. Who runs on it, was started by those applies and ended
    since is started too, as it may have ended over what they brought; no apply, nor one ``later``, stopped it.
    """
    snapshot = by_folder(snapshot, _roots(root))
    down = _ended(draft, snapshot, taken, later)
    held = {stack: list(names) for stack, names in holders(draft, snapshot, root=root, down=down).items()}
    ended = [f"{stack}/{n}" for stack, names in held.items() for n in names if (stack, n) in down]
    for stack, name in _stood_still(draft, snapshot, taken):
        if name not in held.setdefault(stack, []):
            held[stack].append(name)
    after = {s.name: all_services(s) for s in stacks_after(snapshot.stacks, draft.edits)}
    stops, starts, looks = [], [], list(draft.verifications)
    for stack, names in held.items():
        stops.append(EngineAction(ActionKind.REMOVE, "Its data changes place.", stack, tuple(names)))
        again = tuple(n for n in names if n in after.get(stack, {}))
        missing = tuple(n for n in again if not _started(draft, stack, n))
        if missing:
            starts.append(EngineAction(ActionKind.UP, "It runs on the data that is there then.", stack, missing))
        if again:
            looks = list(_with_look(looks, stack, again))
    first = next(iter(looks), Verification())
    actions = (*stops, *draft.actions, *starts)
    told = (f"{', '.join(ended)} ended since and is started on the data that is there then.",) if ended else ()
    notes = (*draft.notes, *told)
    return replace(draft, actions=actions, verification=first, also_verify=tuple(looks[1:]), notes=notes)


def _stood_still(draft: Draft, snapshot: Snapshot, taken: Sequence[Plan]) -> Iterator[tuple[str, str]]:
    gone = {(a.stack, s) for a in draft.actions if a.kind is ActionKind.REMOVE for s in a.services}
    known = {(s.stack, s.name): s.data for s in view(snapshot).services}
    for plan in _movers(draft, taken):
        for action in (a for a in plan.draft.actions if a.kind is ActionKind.REMOVE):
            for one in ((action.stack, s) for s in action.services):
                if one in known and one not in gone and _runs(snapshot, *one, known[one]):
                    yield one


def _movers(draft: Draft, taken: Sequence[Plan]) -> list[Plan]:
    """Those of the applies that moved what the draft moves."""
    paths = {p for m in draft.moves for p in (m.source, m.target)}
    return [p for p in taken if any({m.source, m.target} & paths for m in p.draft.moves)]


def _ended(
    draft: Draft, snapshot: Snapshot, taken: Sequence[Plan], later: Sequence[Plan]
) -> frozenset[tuple[str, str]]:
    """Services whose containers are there and down, started by the applies that moved what the draft moves.

    Whom a plan stopped since is meant to be down, and so is one that sleeps until somebody visits it.
    """
    homes = _homes(draft, snapshot)
    here = [c for c in snapshot.containers or () if (c.host or LOCAL) in homes]
    names = {(c.stack, c.service) for c in here if c.state in _DOWN}
    awake = {(s.stack, s.name): s.data for s in view(snapshot).services if s.labels.get(ENABLE, "").lower() != "true"}
    down = {one for one in names if one in awake and not _runs(snapshot, *one, awake[one])}
    movers = {p.id for p in _movers(draft, taken)}
    started, stopped = set[tuple[str, str]](), set[tuple[str, str]]()
    for plan in (*taken, *later):
        for action in plan.draft.actions:
            mine = {(s, n) for s, n in down if s == action.stack and (not action.services or n in action.services)}
            if action.kind in _STOPS:
                stopped |= mine
            elif action.kind in _STARTS:
                stopped -= mine
                started |= mine if plan.id in movers else set()
    return frozenset(started - stopped)


def refuse_held(draft: Draft, snapshot: Snapshot, *, root: Root = "") -> None:
    """Raise InvalidInput (``data_in_use``) where a running container would go on with a folder that is moved away."""
    if snapshot.containers is None or not draft.moves:
        return
    snapshot = by_folder(snapshot, _roots(root))
    lookers = _lookers(draft, snapshot, root)
    held = holders(draft, snapshot, root=root).items()
    names = [f"{stack}/{name}" for stack, names in held for name in names if (stack, name) not in lookers]
    names += [f"container {name}" for name in strangers(draft, snapshot, root=root)]
    if names:
        raise InvalidInput(
            f"{', '.join(names)} runs on files that this plan moves, and the plan does not stop it.",
            code="data_in_use",
            hint="Stop it first, and start it again after the apply: its container is to be made anew then.",
        )


def _runs(snapshot: Snapshot, stack: str, service: str, data: Mapping[str, object]) -> bool:
    if snapshot.containers is None:
        return not data.get("profiles")
    # Of a stack are those on its own host alone.
    return any(c.stack == stack and c.service == service and c.state not in _DOWN for c in snapshot.containers)


def _holds(place: str, paths: Sequence[str], stack: str) -> bool:
    """Whether a mount of that place is of what moves: it or a part of it; around it where the stack is its own."""
    if any(place == p or place.startswith(f"{p}/") for p in paths):
        return True
    return "/" in place and place.startswith(f"{stack}/") and any(p.startswith(f"{place}/") for p in paths)


def _started(draft: Draft, stack: str, service: str) -> bool:
    ups = (a for a in draft.actions if a.kind is ActionKind.UP and a.stack == stack)
    return any(not a.services or service in a.services for a in ups)


def _with_look(looks: Sequence[Verification], stack: str, services: Sequence[str]) -> Iterator[Verification]:
    """What is looked at, with these services too."""
    if not any(v.stack == stack for v in looks):
        yield Verification(stack, tuple(services))
    for look in looks:
        mine = look.stack == stack
        yield replace(look, services=tuple(dict.fromkeys((*look.services, *services)))) if mine else look
