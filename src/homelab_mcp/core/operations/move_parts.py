"""What a move to another stack takes along, and what stands in its way."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from homelab_mcp.core import env_file
from homelab_mcp.core.compose_meaning import DOCKGE, names_in, read, record_of, services_of, volumes_used
from homelab_mcp.core.compose_model import is_external
from homelab_mcp.core.diff import is_env
from homelab_mcp.core.env_report import names_beside_services, used_names
from homelab_mcp.core.labels import COMPANION_OF, labels_of
from homelab_mcp.core.operations import service_parts
from homelab_mcp.core.operations.data_places import Places
from homelab_mcp.core.operations.stack_as_one import merged
from homelab_mcp.core.project_name import project_name
from homelab_mcp.core.references import variables_in
from homelab_mcp.core.stack_texts import named_paths
from homelab_mcp.core.variables import lab_variables
from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.lab import LabSettings
from homelab_mcp.model.observed import Snapshot, StackFiles
from homelab_mcp.model.plan import FileEdit


@dataclass(frozen=True, slots=True)
class Move:
    """What goes from where to where."""

    source: StackFiles
    target: StackFiles
    fresh: bool
    name: str
    group: tuple[str, ...]
    services: Mapping[str, Any]
    document: Mapping[str, Any]
    env: Mapping[str, str]
    data: Places

    @property
    def rest(self) -> dict[str, Any]:
        """The services that stay."""
        return {n: s for n, s in self.services.items() if n not in self.group}


def group(services: Mapping[str, Any], service: str, carriers: Sequence[str]) -> list[str]:
    """The service, its companions and its gateway, in the file's order. Raises InvalidInput (``is_companion``)."""
    owner = labels_of(services[service]).get(COMPANION_OF)
    if owner in services:
        raise InvalidInput(
            f"{service} belongs to {owner} and goes where it goes.", hint=f"Move {owner}.", code="is_companion"
        )
    mine = {service, *service_parts.companions(services, service)}
    mine |= {c for c in carriers if labels_of(services[c]).get(COMPANION_OF) == service}
    return [n for n in services if n in mine]


def refuse(move: Move, exists: Callable[[str], bool]) -> None:
    """Raise InvalidInput with what keeps these services where they are."""
    _refuse_ties(move)
    _refuse_files(move)
    _refuse_data(move, exists)


def _refuse_ties(move: Move) -> None:
    needing = [n for n, s in move.rest.items() if set(move.group) & set(service_parts.needs(s))]
    if needing:
        raise InvalidInput(
            f"{move.name} is needed by {', '.join(needing)} of {move.source.name}.",
            hint="Move those too, one by one, or take the dependency out first.",
            code="has_dependents",
            details={"dependents": needing},
        )
    wanted = {n for g in move.group for n in service_parts.needs(move.services[g])} & move.rest.keys()
    if wanted:
        raise InvalidInput(
            f"{move.name} needs {', '.join(sorted(wanted))} of {move.source.name}, which would stay there.",
            hint="Compose knows no dependency on another stack; take it out first (connect_services joins them).",
            code="needs_others",
        )
    there = services_of(read(move.target.compose_text))
    if taken := sorted(set(move.group) & there.keys()):
        raise InvalidInput(
            f"Stack {move.target.name} already has {', '.join(taken)}.",
            code="service_exists",
            hint="Use another stack.",
        )


def _refuse_files(move: Move) -> None:
    for name in move.group:
        body = move.services[name]
        if "build" in body or "extends" in body or "configs" in body or "secrets" in body:
            raise InvalidInput(
                f"{name} is made from other files of {move.source.name} (build, extends, configs or secrets).",
                code="data_not_movable",
                hint="Move those by hand together with the service.",
            )
        files = body.get("env_file")
        listed = [files] if isinstance(files, (str, Mapping)) else files or ()
        if any(str(f.get("path") if isinstance(f, Mapping) else f).removeprefix("./") == ".env" for f in listed):
            raise InvalidInput(
                f"{name} reads the whole .env of {move.source.name}.",
                code="data_not_movable",
                hint="Name the variables it needs under 'environment' first.",
            )


def _refuse_data(move: Move, exists: Callable[[str], bool]) -> None:
    if move.data.whole:
        raise InvalidInput(
            f"{', '.join(move.data.whole)} mounts the stack's whole folder.",
            code="data_not_movable",
            hint="Mount a folder below it first.",
        )
    if move.data.shared:
        path, users = next(iter(move.data.shared.items()))
        raise InvalidInput(
            f"{path} is used by {', '.join(users)} as well.", code="data_shared", hint="Give each its own folder first."
        )
    # What follows a move is written from the stack's folder on; the absolute path would name an empty folder after.
    if fixed := [f for f in move.data.fixed if any(f == p or f.startswith(f"{p}/") for p in move.data.own)]:
        raise InvalidInput(
            f"{fixed[0]} is named by its path from the machine's root, which would still be the old place.",
            code="data_not_movable",
            hint=f"Write it as ./{fixed[0].partition('/')[2]} first.",
        )
    declared = move.document.get("volumes") or {}
    # Docker keeps what a volume of that name stood for at first, which is the old place.
    if named := [v for v in move.data.bound if (declared.get(v) or {}).get("name")]:
        raise InvalidInput(
            f"Volume {named[0]} stands for {move.data.bound[named[0]]} and has a name of its own, by which Docker "
            "would still look for the old place.",
            code="data_not_movable",
            hint=f"Mount ./{move.data.bound[named[0]].partition('/')[2]} itself first.",
        )
    blocked = [t for t in (target_of(move, p) for p in move.data.own) if exists(t)]
    if blocked:
        raise InvalidInput(
            f"{blocked[0]} is there already, and data is never put over other data.",
            code="data_in_the_way",
            hint="Move it away first.",
        )


def refuse_other_variables(
    snapshot: Snapshot, stack_name: str, service: str, read_text: Callable[[str], str | None]
) -> None:
    """Raise InvalidInput (``data_not_movable``) where the service takes values that come with a file it is included by.

    Compose gives an included file the variables of an env file of its own, beside the stack's; in another stack they
    would be empty. Source: Compose Specification, "Include" (``env_file``, and the ``.env`` of its folder).
    """
    stack = snapshot.stack(stack_name)
    if stack is None or not stack.named:
        return
    own = {**env_file.parse_or_empty(snapshot.shared_env), **env_file.parse_or_empty(stack.env_text)}
    body = ((merged(stack) or {}).get("services") or {}).get(service)
    unset = {n for n in variables_in(body) if n not in own} if body else set()
    known = dict(stack.named)

    def read_any(path: str) -> str | None:
        return known[path] if path in known else read_text(path)

    for path in named_paths(stack, own, read_any) if unset else ():
        if is_env(path) and path != stack.env_path:
            taken = sorted(unset & env_file.parse_or_empty(read_text(path) or "").keys())
            if taken:
                raise InvalidInput(
                    f"{service} takes {', '.join(taken)} from {path}, which another stack does not read.",
                    code="data_not_movable",
                    hint=f"Set them in {stack.env_path} first (`homelab-mcp env set`), then ask again.",
                )


def target_of(move: Move, path: str) -> str:
    """Where a path of the old stack will be."""
    return f"{move.target.name}/{path.partition('/')[2]}"


def networks(move: Move) -> tuple[dict[str, Any], list[str]]:
    """What the new stack must declare, and who of the old one was reached by a network that does not go along."""
    declared = move.document.get("networks") or {}
    wanted: dict[str, Any] = {}
    left: list[str] = []
    for name in move.group:
        body = move.services[name]
        joined = names_in(body.get("networks")) or ([] if body.get("network_mode") else ["default"])
        for network in joined:
            spec = declared.get(network)
            if network != "default" or spec:
                wanted[network] = spec if spec is not None else {}
            private = not (isinstance(spec, Mapping) and (is_external(spec) or spec.get("name")))
            if private:
                left += [
                    n
                    for n, s in move.rest.items()
                    if isinstance(s, Mapping)
                    and network in (names_in(s.get("networks")) or ([] if s.get("network_mode") else ["default"]))
                ]
    return {n: s for n, s in wanted.items() if n != "default"}, list(dict.fromkeys(left))


def volumes(move: Move) -> tuple[dict[str, Any], list[str]]:
    """Named volumes by the name that Docker knows them by, so that the new stack finds the same data."""
    declared = move.document.get("volumes") or {}
    used = volumes_used(move.rest)
    found: dict[str, Any] = {}
    notes = []
    for name in move.data.volumes:
        spec = declared.get(name) or {}
        if name in used:
            notes.append(f"Volume {name} is used by both stacks from then on.")
        if is_external(spec) or spec.get("name"):
            found[name] = dict(spec)
            continue
        if spec.get("driver_opts"):
            found[name] = dict(spec)
            continue
        project = project_name(move.source.name, move.source.compose_text)
        found[name] = {"name": f"{project}_{name}", "external": True}
        notes.append(f"Its volume keeps Docker's name {project}_{name}, so that its data stays where it is.")
    return found, notes


def urls_of(move: Move) -> list[str]:
    """Dockge's addresses that came with these services."""
    there = move.document.get(DOCKGE)
    listed = [str(u) for u in there.get("urls") or ()] if isinstance(there, Mapping) else []
    tokens = [t for n in move.group for t in record_of(move.services[n])]
    mine = [t.removeprefix("url:") for t in tokens if t.startswith("url:")]
    return [u for u in listed if u in mine]


def used_by(move: Move) -> list[str]:
    """Variables of ``.env`` that these services use."""
    return list(dict.fromkeys(n for g in move.group for n in used_names(move.services[g])))


def variables(move: Move, settings: LabSettings) -> tuple[list[FileEdit], list[str]]:
    """Edits of both ``.env`` files, and notes. Raises InvalidInput (``variable_taken``)."""
    there = env_file.parse(move.target.env_text)
    mine = {n: move.env[n] for n in used_by(move) if n in move.env}
    taken = sorted(n for n, v in mine.items() if n in there and there[n] != v)
    if taken:
        raise InvalidInput(
            f"{', '.join(taken)} has another value in {move.target.name} than in {move.source.name}.",
            code="variable_taken",
            hint="Rename it in one of the two first.",
        )
    new = {n: v for n, v in mine.items() if n not in there}
    staying = {n for s in move.rest.values() for n in used_names(s)} | lab_variables(settings).keys()
    staying |= names_beside_services(move.document) if move.rest else set()
    whole = any(_reads_all(s) for s in move.rest.values())
    gone = [] if whole else [n for n in mine if n not in staying]
    edits, notes = [], []
    if new:
        before = move.target.env_text or None
        text = env_file.set_values(move.target.env_text, new)
        edits.append(FileEdit(move.target.env_path, before, text, mode=0o600, secret=True))
        notes.append(f"Variables that go along: {', '.join(new)}. Values are not shown.")
    if gone:
        text = env_file.remove(move.source.env_text, gone)
        edits.append(FileEdit(move.source.env_path, move.source.env_text, text, mode=0o600, secret=True))
    return edits, notes


def _reads_all(service: Any) -> bool:
    return isinstance(service, Mapping) and bool(service.get("env_file"))
