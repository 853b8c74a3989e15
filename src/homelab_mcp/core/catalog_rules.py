"""What must hold for a catalog entry beyond its model: references that lead somewhere, secrets, unique names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from homelab_mcp.model.definition import LAB_VARIABLES, ConfigFile, Container, ServiceDefinition
from homelab_mcp.model.lab import LabSettings

_WORD = re.compile(r"@\{([^}]*)(\}?)")
# A dollar that Compose would act on; "$$" is a plain dollar to it.
_DOLLAR = re.compile(r"\$\$|\$(?P<reference>\{[^}]*\}?|[A-Za-z_]\w*)?")
_NAME = re.compile(r"\{([A-Z][A-Z0-9_]*)\}")
_SECRET_KEY = re.compile(r"PASS(WORD|WD|PHRASE)?$|SECRET$|TOKEN$|(API|PRIVATE|ENCRYPTION|SECRET|ACCESS)_?KEY$|AUTH$")
_SEPARATORS = re.compile(r"[\s_.-]+")
# A port is open long before a program answers, and stays open when it hangs.
_KNOCKS = re.compile(r"/dev/tcp/(?!.*>&)|\bnc (-\w+ )*-\w*z")
_KEPT = frozenset({"config", "data", "database", "cache"})


@dataclass(frozen=True, slots=True)
class _Text:
    """One text of a definition that may hold references; ``kind`` says which are allowed in it."""

    where: str
    kind: str
    text: str


def catalog_findings(definition: ServiceDefinition, others: Iterable[ServiceDefinition]) -> list[str]:
    """What is wrong with a definition that its model cannot see, one sentence each; empty when all is well.

    ``others`` are the other definitions of the catalog; one with the same id is taken as the definition itself.
    """
    rest = [other for other in others if other.id != definition.id]
    return [
        *_variables(definition),
        *_words(definition),
        *_secrets(definition),
        *_containers(definition),
        *_files_and_backup(definition),
        *_references(definition, rest),
        *_unique(definition, rest),
        *_ports(definition, rest),
        *_provenance(definition),
    ]


def _all_containers(definition: ServiceDefinition) -> Iterator[tuple[str, Container]]:
    yield "container", definition.container
    for key, companion in definition.companions.items():
        yield f"companions.{key}", companion


def _texts(definition: ServiceDefinition) -> Iterator[_Text]:
    for where, container in _all_containers(definition):
        for key, value in container.environment.items():
            yield _Text(f"{where}.environment.{key}", "environment", value)
        for key, value in container.labels.items():
            yield _Text(f"{where}.labels.{key}", "label", value)
        for index, value in enumerate(container.command or []):
            yield _Text(f"{where}.command.{index}", "command", value)
        for index, value in enumerate(container.health.test if container.health else []):
            yield _Text(f"{where}.health.test.{index}", "health", value)
        for index, volume in enumerate(container.volumes):
            yield _Text(f"{where}.volumes.{index}", "volume", f"{volume.source or ''}{volume.target or ''}")
        yield _Text(f"{where}.user", "user", container.user or "")
    for key, value in ((definition.homepage and definition.homepage.widget) or {}).items():
        yield _Text(f"homepage.widget.{key}", "label", value)


def _file_texts(file: ConfigFile) -> Iterator[_Text]:
    def walk(value: Any, where: str) -> Iterator[_Text]:
        if isinstance(value, dict):
            for key, item in value.items():
                yield from walk(item, f"{where}.{key}")
        elif isinstance(value, list):
            for index, item in enumerate(value):
                yield from walk(item, f"{where}.{index}")
        elif isinstance(value, str):
            yield _Text(where, "secret file" if file.secret else "file", value)

    yield from walk(file.content, file.path)


def _all_texts(definition: ServiceDefinition) -> Iterator[_Text]:
    yield from _texts(definition)
    for file in definition.files:
        yield from _file_texts(file)


# --- ${NAME} --------------------------------------------------------------------------------------------------------


def _dollars(text: str) -> Iterator[str | None]:
    """Name of each reference in a text; None for a dollar that is not written ``${NAME}``."""
    for found in _DOLLAR.finditer(text):
        if found.group() != "$$":
            name = _NAME.fullmatch(found["reference"] or "")
            yield name[1] if name else None


def _variables(definition: ServiceDefinition) -> Iterator[str]:
    known = {variable.name for variable in definition.variables}
    used: set[str] = set()
    for text in _texts(definition):
        for name in _dollars(text.text):
            if name is None:
                yield f"{text.where}: a dollar sign is written as ${{NAME}}, or $$ for itself."
            elif name not in known and name not in LAB_VARIABLES:
                yield f"{text.where}: ${{{name}}} is neither one of the variables nor a lab setting."
            else:
                used.add(name)
    for text in _all_texts(definition):
        used |= {word.partition(".")[2] for word, _ in _WORD.findall(text.text) if word.startswith("argon2.")}
        if "file" in text.kind:
            for name in set(_dollars(text.text)) & (known | set(LAB_VARIABLES)):
                yield f"{text.where}: nobody fills in ${{{name}}} in a file; use @{{setting...}} or a variable."
    for name in sorted(known - used):
        yield f"variables: {name} is used nowhere."
    for name in sorted(known & set(LAB_VARIABLES)):
        yield f"variables: {name} is a lab setting already."


# --- @{word} --------------------------------------------------------------------------------------------------------


def _words(definition: ServiceDefinition) -> Iterator[str]:
    for text in _all_texts(definition):
        for word, closed in _WORD.findall(text.text):
            problem = _word_problem(definition, text.kind, word) if closed else "has no closing brace"
            if problem:
                yield f"{text.where}: @{{{word}}} {problem}."


def _word_problem(definition: ServiceDefinition, kind: str, word: str) -> str:
    head, _, rest = word.partition(".")
    if word in {"service", "root"}:
        return ""
    if word in {"host", "url"}:
        return "" if definition.route else "needs a route"
    if head == "companion":
        return "" if rest in definition.companions else "names no companion"
    if head == "setting":
        if "file" not in kind and kind != "command":
            return "is for files and commands only"
        return "" if rest in LabSettings.model_fields else "names no lab setting"
    if head == "argon2":
        if kind != "secret file":
            return "is for secret files only"
        generated = {variable.name for variable in definition.variables if variable.generate}
        return "" if rest in generated else "names no generated secret"
    return "is not a known word"


# --- secrets --------------------------------------------------------------------------------------------------------


def _secrets(definition: ServiceDefinition) -> Iterator[str]:
    secret = {variable.name for variable in definition.variables if variable.secret}
    for text in _texts(definition):
        names = [name for name in _dollars(text.text) if name]
        if text.kind == "label":
            for name in secret & set(names):
                yield f"{text.where}: ${{{name}}} is a secret, and labels can be read by every holder of the socket."
        if text.kind != "environment" or not _SECRET_KEY.search(text.where.rpartition(".")[2].upper()):
            continue
        if not names and text.text and text.text.lower() not in {"true", "false", "0", "1"}:
            yield f"{text.where}: looks like a secret in plain text; make it a generated variable."
        for name in names:
            if name not in secret:
                yield f"{text.where}: ${{{name}}} should be marked as a secret."


# --- containers, files, backup --------------------------------------------------------------------------------------


def _folders(container: Container) -> list[str]:
    return [volume.name or volume.kind for volume in container.volumes if volume.kind in _KEPT]


def _containers(definition: ServiceDefinition) -> Iterator[str]:
    for where, container in _all_containers(definition):
        if not container.user and not container.user_note:
            yield f"{where}: say in user_note why it does not run as ${{PUID}}:${{PGID}}."
        if container.health and not container.health_note and _KNOCKS.search(" ".join(container.health.test)):
            yield f"{where}: its health check opens a port and asks nothing; ask, or say in health_note why not."
        folders = _folders(container)
        for name in sorted({name for name in folders if folders.count(name) > 1}):
            yield f"{where}.volumes: two share the folder {name}; give one a name."
        targets = [volume.target for volume in container.volumes if volume.target]
        for target in sorted({target for target in targets if targets.count(target) > 1}):
            yield f"{where}.volumes: two are mounted at {target}."
    own = _folders(definition.container)
    for where, container in _all_containers(definition):
        for volume in container.volumes:
            if volume.shared and (where == "container" or (volume.name or volume.kind) not in own):
                yield f"{where}.volumes: only a companion shares a folder, and only one that the container has."
    for key, companion in definition.companions.items():
        if companion.wait == "healthy" and not companion.health:
            yield f"companions.{key}: it is waited for until healthy, but has no health check."


def _files_and_backup(definition: ServiceDefinition) -> Iterator[str]:
    folders = _folders(definition.container)
    for file in definition.files:
        if ".." in file.path.split("/"):
            yield f"files: {file.path} leaves the service's folder."
        elif file.path.split("/")[0] not in folders:
            yield f"files: {file.path} is in no folder that the container mounts ({', '.join(folders) or 'none'})."
    paths = [file.path for file in definition.files]
    for path in sorted({path for path in paths if paths.count(path) > 1}):
        yield f"files: {path} is there twice."
    for path in (*definition.backup.include, *definition.backup.exclude):
        if path.split("/")[0] not in folders:
            yield f"backup: {path} is in no folder of the container."
    if definition.backup.dump_container and definition.backup.dump_container not in definition.companions:
        yield f"backup: there is no companion {definition.backup.dump_container}."
    databases = {key for key, companion in definition.companions.items() if companion.role == "database"}
    if databases and not definition.backup.dump:
        yield "backup: a database needs a dump command."


# --- other definitions, sources -------------------------------------------------------------------------------------


def _references(definition: ServiceDefinition, rest: list[ServiceDefinition]) -> Iterator[str]:
    by_id = {other.id: other for other in rest}
    for field, names in (("requires", definition.requires), ("not_beside", definition.not_beside)):
        for name in names:
            if name not in by_id:
                yield f"{field}: there is no definition {name}."
    if definition.gateway is None:
        if definition.vpn.use != "no":
            yield f"vpn: {definition.vpn.use}, but no gateway is named."
    elif definition.gateway not in by_id:
        yield f"gateway: there is no definition {definition.gateway}."
    elif definition.vpn.use == "no":
        yield "gateway: one is named, but the VPN is never used."
    elif by_id[definition.gateway].gateway:
        yield f"gateway: {definition.gateway} goes through a gateway itself."
    web = {port.container for port in definition.container.ports if port.purpose == "web"}
    if definition.route and not definition.route.traefik_service and definition.route.port not in web:
        yield f"route: port {definition.route.port} has not the purpose web."


def _names(definition: ServiceDefinition) -> set[str]:
    every = (definition.id, definition.name, *definition.aliases)
    return {_SEPARATORS.sub("", name.casefold()) for name in every}


def _unique(definition: ServiceDefinition, rest: list[ServiceDefinition]) -> Iterator[str]:
    for other in rest:
        for name in sorted(_names(definition) & _names(other)):
            yield f"aliases: {name} is a name of {other.id} too."
        if definition.route and other.route and definition.route.subdomain == other.route.subdomain:
            yield f"route: the sub-domain {definition.route.subdomain} is {other.id}'s too."


def _ports(definition: ServiceDefinition, rest: list[ServiceDefinition]) -> Iterator[str]:
    """A port of the host can be one service's, so those that need the same one name each other."""
    own = _host_ports(definition)
    for other in rest:
        shared = sorted(own & _host_ports(other))
        if shared and other.id not in definition.not_beside:
            listed = ", ".join(f"{number}/{protocol}" for number, protocol in shared)
            yield f"ports: {other.id} needs {listed} of the host too; publish another, or name it in not_beside."
        if other.id in definition.not_beside and not shared:
            yield f"not_beside: {other.id} needs no port of the host that this one needs."


def _host_ports(definition: ServiceDefinition) -> set[tuple[int, str]]:
    found: set[tuple[int, str]] = set()
    for _, container in _all_containers(definition):
        on_host = any(privilege.kind == "host_network" for privilege in container.privileges)
        found |= {(p.publish, p.protocol) for p in container.ports if p.publish}
        found |= {(p.container, p.protocol) for p in container.ports if on_host}
    return found


def _provenance(definition: ServiceDefinition) -> Iterator[str]:
    if definition.level == "draft":
        return
    facts = " ".join(source.facts for source in definition.sources)
    if not re.search(r"\b(tags?|version)\b", facts):
        yield "sources: none of them covers the image's tag."
    if definition.minimum_memory and "memory" not in facts:
        yield "sources: none of them covers the memory that its makers ask for."
    if definition.metrics and not re.search("figures|metrics|Prometheus", facts):
        yield "sources: none of them covers the metrics."
    for index, source in enumerate(definition.sources):
        if len(source.where.split()) < 2:
            yield f"sources.{index}: name the repository and path, or the page's title."
