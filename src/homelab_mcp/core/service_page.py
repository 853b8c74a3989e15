"""A service's documentation as Markdown, made from its definition alone; and the table of all services.

What ``docs/services/``, ``homelab-mcp catalog show``, the MCP resource and ``search_catalog`` give is this one text.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from homelab_mcp.core.catalog_index import Record, record_of
from homelab_mcp.core.resources import reserved_mib
from homelab_mcp.core.service_api_page import api_lines

if TYPE_CHECKING:
    from homelab_mcp.model.definition import Container, ServiceDefinition, Variable, Volume

_LEVELS = {
    "draft": "facts gathered, nothing tried",
    "generated": "checked by the generator, the linter and Compose",
    "deployed": "also started and routed behind a real Traefik in the project's tests",
}
_VOLUMES = {
    "media": "the lab's media folder",
    "downloads": "the lab's downloads folder",
    "stacks": "the lab's own folder",
    "socket": "the Docker socket",
}
_SSO = {
    "protect": "Who is not logged in meets the lab's log-in page.",
    "two_factor": "Who is not logged in meets the lab's log-in page, and is asked for a second factor.",
    "bypass": "The lab's log-in does not stand in front.",
    "portal": "It is the log-in page itself.",
}


def service_page(definition: ServiceDefinition, origin: str = "", *, trusted: bool = True) -> str:
    """The page of one service: what it is, needs, keeps and asks for, what to know, and where each fact is from.

    ``origin`` is the file in the lab that it is from, where it is not packaged; ``trusted`` is False for a file from
    another's catalog.
    """
    d, record = definition, record_of(definition)
    containers = {d.id: d.container, **{f"{d.id}-{key}": each for key, each in d.companions.items()}}
    parts = [
        [f"# {d.name}", "", d.summary],
        _whose(origin, trusted),
        _facts(d, record),
        _section("How it is reached", _reached(d)),
        _section("Containers", _containers(d, containers)),
        _section("Data", _data(d, containers)),
        _section("Variables", _variables(d.variables)),
        _section("Fits", _fits(d)),
        _section("Its API", api_lines(d.api, d.id) if d.api else []),
        _section("Good to know", [f"- {note}" for note in (*d.notes, *_more_notes(d))]),
        _section("What its log lines mean", _failures(d)),
        _section("Sources", [f"- {s.facts}: {s.where}" for s in d.sources]),
    ]
    return "\n\n".join("\n".join(part) for part in parts if part) + "\n"


def _whose(origin: str, trusted: bool) -> list[str]:
    if not trusted:
        return [f"> UNTRUSTED: from {origin}, another's catalog. Nobody of this program has checked what it says."]
    return [f"> The lab's own definition, {origin}."] if origin else []


def overview_page(records: Iterable[Record]) -> str:
    """Every service in tables by category, each with a link to its page."""
    ordered = sorted(records, key=lambda record: (record.category, record.name.casefold(), record.id))
    lines = [
        "# Services",
        "",
        f"{len(ordered)} services that `homelab-mcp add NAME` or the tool `add_service` adds. Memory is what its",
        "containers set aside together, or what its makers ask for, if that is more. How far each was tried: see",
        "`level` in [the catalog](../catalog.md).",
    ]
    for category, group in groupby(ordered, key=lambda record: record.category):
        lines += [
            "",
            f"## {category}",
            "",
            "| service | what it does | beside it | memory | level |",
            "|---|---|---|---|---|",
        ]
        for r in group:
            roles = ", ".join(dict.fromkeys(r.roles)) or "-"
            row = (f"[{_cell(r.name)}]({r.id}.md)", _cell(r.summary), roles, f"{r.memory} MiB", r.level)
            lines.append(f"| {' | '.join(row)} |")
    return "\n".join(lines) + "\n"


def _facts(d: ServiceDefinition, record: Record) -> list[str]:
    rows = [
        ("Add it", f"`homelab-mcp add {d.id}`, or ask your AI for {d.name}"),
        ("Category, stack", f"{d.category}, {d.stack}"),
        ("Also called", ", ".join(d.aliases)),
        ("In place of", ", ".join(d.replaces)),
        ("Memory set aside", f"{sum(reserved_mib(c.resources) for c in (d.container, *d.companions.values()))} MiB"),
        ("Its makers ask for", f"{d.minimum_memory}iB of memory at least" if d.minimum_memory else ""),
        ("Runs on", ", ".join(d.architectures)),
        ("Needs in the lab", ", ".join(d.requires)),
        ("Not beside", f"{', '.join(d.not_beside)}: they need the same port of the host" if d.not_beside else ""),
        ("License", d.license),
        ("Its makers", f"<{d.links.upstream}>, documentation <{d.links.documentation}>"),
        ("Level", f"{d.level}: {_LEVELS[d.level]}"),
    ]
    return ["| | |", "|---|---|", *(f"| {name} | {_cell(value)} |" for name, value in rows if value)]


def _section(title: str, lines: Sequence[str]) -> list[str]:
    return [f"## {title}", "", *lines] if lines else []


def _reached(d: ServiceDefinition) -> list[str]:
    ports = [
        f"- Port {p.publish}/{p.protocol} of the host leads to {p.container}. {p.why}"
        for p in d.container.ports
        if p.publish
    ]
    if d.route is None:
        return ports or ["It has no web page."]
    sso = d.route.sso
    lines = [
        f"`https://{d.route.subdomain}.<your domain>`, which Traefik leads to container port {d.route.port}.",
        f"{_SSO[sso.policy]} {sso.why}",
    ]
    if d.route.own_certificate:
        lines.append("It speaks HTTPS with a certificate of its own, which Traefik does not check, for it alone.")
    if sso.api_paths:
        lines.append(f"Open to programs, which log in by other means: {', '.join(f'`{p}`' for p in sso.api_paths)}.")
    return lines + (["", *ports] if ports else [])


def _containers(d: ServiceDefinition, containers: dict[str, Container]) -> list[str]:
    lines = ["| container | image | for | memory | user |", "|---|---|---|---|---|"]
    for name, each in containers.items():
        role = d.companions[name.removeprefix(f"{d.id}-")].role if name != d.id else "the service"
        user = "the lab's" if each.user == "${PUID}:${PGID}" else f"`{each.user}`" if each.user else "the image's own"
        lines.append(f"| {name} | `{each.image.reference}` | {role} | {reserved_mib(each.resources)} MiB | {user} |")
    told = [
        f"- {name}: {note}"
        for name, each in containers.items()
        for note in (each.user_note, each.health_note, *(f"May use {_privilege(p)}. {p.why}" for p in each.privileges))
        if note
    ]
    return [*lines, *(["", *told] if told else [])]


def _privilege(p: object) -> str:
    kind, value = str(getattr(p, "kind", "")), str(getattr(p, "value", ""))
    return f"{kind.replace('_', ' ')} `{value}`" if value else kind.replace("_", " ")


def _data(d: ServiceDefinition, containers: dict[str, Container]) -> list[str]:
    rows = [
        f"| {_place(d.id if v.shared else name, v)} | {name}: `{v.target or '(same path)'}` | {v.kind}"
        f"{', read-only' if v.read_only else ''} |"
        for name, each in containers.items()
        for v in each.volumes
    ]
    table = ["| on the host | in the container | kind |", "|---|---|---|", *rows, ""] if rows else []
    dump = [f"Dump: `{' '.join(d.backup.dump)}` in {d.id}-{d.backup.dump_container}."] if d.backup.dump else []
    return [*table, f"Backup: {d.backup.notes}", *dump]


def _place(service: str, volume: Volume) -> str:
    if volume.kind == "host":
        return f"`{volume.source}`"
    return _VOLUMES.get(volume.kind) or f"`<stack>/{service}/{volume.name or volume.kind}`"


def _variables(variables: Sequence[Variable]) -> list[str]:
    if not variables:
        return []
    rows = [f"| `{v.name}` | {_cell(v.description)} | {_cell(_given(v))} |" for v in variables]
    return ["| variable | what it is | value |", "|---|---|---|", *rows]


def _given(v: Variable) -> str:
    if v.generate:
        return f"made for you: {v.generate.length} characters" if v.generate.kind != "uuid" else "made for you"
    if v.default is not None:
        return f"`{v.default}` unless you say otherwise" if v.default else "empty unless you say otherwise"
    words = "asked for" if v.required else "may be left out"
    chosen = f"; one of {', '.join(v.choices)}" if v.choices else ""
    return f"{words}{'; a secret, so only at your terminal' if v.secret else ''}{chosen}"


def _fits(d: ServiceDefinition) -> list[str]:
    return [
        f"- Sleep while nobody visits it: {'yes' if d.lazy.ok else 'no'}. {d.lazy.why}",
        f"- VPN: {d.vpn.use}{f' ({d.gateway})' if d.gateway else ''}. {d.vpn.why}",
        f"- GPU: {', '.join(d.gpu.kinds) or d.gpu.use}. {d.gpu.why}",
    ]


def _more_notes(d: ServiceDefinition) -> Iterator[str]:
    if d.upgrade:
        yield f"Before another version: {d.upgrade}"
    if d.logs:
        yield f"Log files: {', '.join(f'`{path}`' for path in d.logs)}."


def _failures(d: ServiceDefinition) -> list[str]:
    rows = [f"| `{_cell(f.pattern)}` | {_cell(f.cause)} | {_cell(f.fix)} |" for f in d.failures]
    return ["| line (regular expression) | cause | what to do |", "|---|---|---|", *rows] if rows else []


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
