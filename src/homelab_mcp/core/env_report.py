"""A lab's variables: which are set, who uses them, which are secret. Values are looked at and never told."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from homelab_mcp.core import env_file
from homelab_mcp.core.compose_meaning import read, services_of
from homelab_mcp.core.interpolate import interpolate
from homelab_mcp.core.labels import SERVICE, labels_of
from homelab_mcp.core.operations.lab_view import expand
from homelab_mcp.core.operations.stack_paths import Root
from homelab_mcp.core.redact import is_public_name, is_secret_name
from homelab_mcp.core.references import variables_in
from homelab_mcp.model.definition import ServiceDefinition, Variable
from homelab_mcp.model.errors import HomelabError
from homelab_mcp.model.observed import StackFiles

GLOBAL = "."
"""Stands for the lab's shared ``global.env``, where a stack is named."""

Find = Callable[[str], ServiceDefinition | None]


@dataclass(frozen=True, slots=True)
class EnvVariable:
    """One variable of a stack, or of the whole lab (``stack`` ".").

    Args:
        stack: whose.
        name: its name.
        state: set, empty, default (the compose file has one) or unset.
        source: ``stack`` or ``global``, where it stands; "" where it stands nowhere.
        secret: whether its definition or name says so.
        used_by: services that it reaches; ``(file)`` where the compose file uses it outside of services.
        required: whether Compose or the definition demands a value.
        declared: what the definition says of it.
    """

    stack: str
    name: str
    state: str
    source: str
    secret: bool
    used_by: tuple[str, ...] = ()
    required: bool = False
    declared: Variable | None = None


@dataclass(frozen=True, slots=True)
class StackEnv:
    """The variables of one stack; ``problem`` says why they cannot be read, and then there are none."""

    stack: str
    variables: tuple[EnvVariable, ...] = ()
    values: Mapping[str, str] | None = None
    problem: str = ""


def stack_env(stack: StackFiles, shared: Mapping[str, str], find: Find) -> StackEnv:
    """The variables that a stack's ``.env`` holds or its compose files use.

    Args:
        stack: its files.
        shared: the lab's ``global.env``.
        find: a definition by its id; None for one that is not known.
    """
    try:
        own = env_file.parse(stack.env_text)
    except HomelabError as error:
        return StackEnv(stack.name, problem=f"{stack.env_path}: {error.message}")
    try:
        texts = [stack.compose_text, *(text for _, text in (*stack.others, *stack.named))]
        bodies = [read(text) for text in texts]
    except HomelabError as error:
        return StackEnv(stack.name, problem=f"{stack.compose_path}: {error.message}")
    users = _users(bodies, own)
    declared = {v.name: v for body in bodies for s in services_of(body).values() for v in _declared(s, find)}
    missing, required = _missing(bodies, {**shared, **own})
    found = []
    for name in dict.fromkeys([*own, *sorted(users)]):
        value = own.get(name, shared.get(name))
        source = "stack" if name in own else "global" if name in shared else ""
        if value:
            state = "set"
        elif source:
            state = "empty"
        else:
            state = "unset" if name in missing or name in required else "default"
        one = declared.get(name)
        needed = name in required or bool(one and one.required and name in users)
        secret = one.secret if one else is_secret(name)
        found.append(EnvVariable(stack.name, name, state, source, secret, tuple(users.get(name, ())), needed, one))
    return StackEnv(stack.name, tuple(found), own)


def shared_env(text: str, stacks: Mapping[str, StackEnv]) -> StackEnv:
    """The variables of the lab's ``global.env``; ``used_by`` names stacks that do not set their own."""
    try:
        values = env_file.parse(text)
    except HomelabError as error:
        return StackEnv(GLOBAL, problem=f"global.env: {error.message}")
    found = []
    for name, value in values.items():
        used = [s.stack for s in stacks.values() if any(v.name == name and v.source == "global" for v in s.variables)]
        secret = is_secret(name)
        found.append(EnvVariable(GLOBAL, name, "set" if value else "empty", "global", secret, tuple(used)))
    return StackEnv(GLOBAL, tuple(found), values)


def is_secret(name: str) -> bool:
    """Whether a variable that no definition declares counts as secret, by its name."""
    return is_secret_name(name) and not is_public_name(name)


def uses(service: Any, names: set[str]) -> bool:
    """Whether any of these variables of the stack's ``.env`` reaches the service, by reference or by the whole file."""
    return bool(set(used_names(service)) & names) or takes_whole_file(service)


def used_names(service: Any) -> list[str]:
    """Variables that a service names: by reference, then those under ``environment`` without a value."""
    passed = _passed_on(service) if isinstance(service, Mapping) else ()
    return list(dict.fromkeys((*variables_in(service), *passed)))


def names_beside_services(document: Mapping[str, Any]) -> set[str]:
    """Variables that a compose file names outside of its services, those of its secrets and configs among them.

    Source: Compose Specification, "Secrets" and "Configs": ``environment`` is the name of a variable.
    """
    found = set(variables_in({k: v for k, v in document.items() if k != "services"}))
    for section in ("secrets", "configs"):
        declared = document.get(section)
        for spec in declared.values() if isinstance(declared, Mapping) else ():
            if isinstance(spec, Mapping) and isinstance(spec.get("environment"), str):
                found.add(str(spec["environment"]))
    return found


def reads_env_file(service: Any, folder: str, path: str, env: Mapping[str, str] = {}, root: Root = "") -> bool:
    """Whether a service is given that env file; one that cannot be told counts as it (a variable, somebody's home).

    Args:
        service: its data.
        folder: where its relative paths begin; as ``path`` relative to the lab's root.
        path: the file.
        env: the variables that paths are filled in from.
        root: the lab's on its machine; without it no path from the machine's root can be told.
    """
    roots = [r for r in ((root,) if isinstance(root, str) else root) if r]
    files = service.get("env_file") if isinstance(service, Mapping) else None
    for item in [files] if isinstance(files, (str, Mapping)) else files or ():
        named = str(item.get("path", "")) if isinstance(item, Mapping) else str(item)
        # Compose runs in the stack's folder.
        named = expand(named, {**env, "PWD": "."})
        if named.startswith("~") or "$" in named or (named.startswith("/") and not roots):
            return True
        found = {posixpath.normpath(posixpath.join("/", r, folder, named)) for r in roots or [""]}
        if found & {posixpath.join("/", r, path) for r in roots or [""]}:
            return True
        # A link that nobody told of may lead to the lab's folder: what looks like the file there counts as it.
        if any(f.endswith(f"/{path}") and not any(f.startswith(f"{r}/") for r in roots) for f in found):
            return True
    return False


def takes_whole_file(service: Any) -> bool:
    """Whether a service is given the stack's ``.env`` as it is (``env_file``)."""
    if not isinstance(service, Mapping):
        return False
    files = service.get("env_file") or ()
    listed = [files] if isinstance(files, (str, Mapping)) else list(files)
    paths = [str(f.get("path", "")) if isinstance(f, Mapping) else str(f) for f in listed]
    return any(p.removeprefix("./") == ".env" for p in paths)


def _passed_on(service: Mapping[str, Any]) -> Iterator[str]:
    """Names that ``environment`` lists without a value: Compose fills them in from the stack's variables."""
    environment = service.get("environment")
    if isinstance(environment, list):
        yield from (str(e) for e in environment if "=" not in str(e))
    elif isinstance(environment, Mapping):
        yield from (str(n) for n, value in environment.items() if value is None)


def _users(bodies: list[Any], own: Mapping[str, str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for body in bodies:
        services = services_of(body)
        for name, service in services.items():
            names = set(used_names(service))
            names |= set(own) if takes_whole_file(service) else set()
            for one in names:
                found.setdefault(one, []).append(str(name))
        rest = {k: v for k, v in body.items() if k != "services"} if isinstance(body, Mapping) else {}
        for one in set(variables_in(rest)):
            found.setdefault(one, []).append("(file)")
    return {name: list(dict.fromkeys(users)) for name, users in found.items()}


def _declared(service: Any, find: Find) -> list[Variable]:
    definition = find(labels_of(service).get(SERVICE, "")) if isinstance(service, Mapping) else None
    return list(definition.variables) if definition else []


def _missing(value: Any, variables: Mapping[str, str]) -> tuple[set[str], set[str]]:
    """(names without value and default, names that Compose demands a value of)."""
    missing: set[str] = set()
    required: set[str] = set()
    for text in _texts(value):
        try:
            for one in interpolate(text, variables).missing:
                missing.add(one.name)
            required |= {one.name for one in interpolate(text, {}).missing if one.required}
        except HomelabError:
            continue
    return missing, required


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _texts(key)
            yield from _texts(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _texts(item)
