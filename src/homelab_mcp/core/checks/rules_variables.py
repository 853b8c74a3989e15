"""HL232 to HL236: variables by their names and values: time zones, misspelt names, secrets in files, known values."""

from __future__ import annotations

import difflib
import ipaddress
import re
from collections.abc import Callable, Iterable, Iterator

from homelab_mcp.core.checks import env_texts, time_zones
from homelab_mcp.core.checks.frame import LintContext, rule
from homelab_mcp.core.checks.listening import port_variables
from homelab_mcp.core.checks.variable_words import ALIASES, OWN_NAMES, PROVIDERS, misspelt, stops_gluetun
from homelab_mcp.core.checks.view import Entry, ServiceView
from homelab_mcp.model.finding import Finding, Severity

HEAD = "services:\n  web:\n    image: nginx:1.29\n"
SERVICES = "https://docs.docker.com/reference/compose-file/services/"
DB = "services:\n  db:\n    image: postgres:17.5\n    volumes: ['./db:/var/lib/postgresql/data']\n    environment:\n"
VPN = "services:\n  vpn:\n    image: qmcgaw/gluetun:v3.40.0\n    cap_add: [NET_ADMIN]\n    environment:\n"


@rule(
    "HL232",
    Severity.WARNING,
    "A time zone that does not exist",
    why="A program that does not find the zone takes UTC without a word, or does not start: logs, schedules and "
    "calendars are hours off.",
    link="https://en.wikipedia.org/wiki/List_of_tz_database_time_zones",
    bad=f"{HEAD}    environment: {{TZ: Europe/Berlim}}\n",
    good=f"{HEAD}    environment: {{TZ: Europe/Berlin}}\n",
)
def unknown_zone(ctx: LintContext) -> Iterable[Finding]:
    """``TZ`` and variables that end in ``TZ``, ``TIMEZONE`` or ``TIME_ZONE`` with a zone that is none."""
    for service in ctx.having("environment"):
        for key, entry in service.environment.items():
            if not key.upper().endswith(_ZONES):
                continue
            text = (entry.value or "").strip()
            sure = key == "TZ" or (key.endswith(("_TZ", "TIMEZONE", "TIME_ZONE")) and "/" in text)
            if not text or entry.open or not sure or text[0] in "\"'{" or time_zones.is_zone(text):
                continue
            near = _near_zone(text)
            severity = Severity.ERROR if key in _STRICT else None
            yield ctx.on(service, entry.path, f"{key}: there is no time zone {text!r}.{near}", severity=severity)
    yield from _zones_in_files(ctx)


def _zones_in_files(ctx: LintContext) -> Iterator[Finding]:
    seen: set[str] = set()
    for service in ctx.having("env_file"):
        for path in env_texts.files_of(service):
            found = None if path in seen else env_texts.read(ctx.lab, service.stack, path)
            seen.add(path)
            for each in found.entries if found else ():
                text = each.raw.strip()
                if found and each.name.endswith(_ZONES) and _ZONE.fullmatch(text) and not time_zones.is_zone(text):
                    severity = Severity.ERROR if each.name in _STRICT else Severity.WARNING
                    message = f"{each.name}: there is no time zone {text!r}.{_near_zone(text)}"
                    mark = found.mark(each)
                    yield Finding("HL232", severity, message, path, mark.line, mark.column)


_ZONE = re.compile(r"[A-Z][A-Za-z]+/[A-Za-z_/+-]+")
_STRICT = frozenset({"PAPERLESS_TIME_ZONE"})
"""Variables of programs that end over a zone that they do not know (Django's TIME_ZONE: ValueError at the start)."""
_ZONES = ("TZ", "TIMEZONE", "TIME_ZONE")


def _near_zone(text: str) -> str:
    if len(text) > 60:
        return ""
    by_lower = {name.lower(): name for name in time_zones.names()}
    near = difflib.get_close_matches(text.lower().replace(" ", "_"), by_lower, n=1, cutoff=0.75)
    return f" Did you mean {by_lower[near[0]]!r}?" if near else ""


@rule(
    "HL233",
    Severity.WARNING,
    "A variable that looks misspelt",
    why="A program never tells of a variable that it does not know: it goes on as if none were set, with an empty "
    "password, another user or no VPN.",
    link=f"{SERVICES}#environment",
    bad=f"{DB}      POSTGRES_PASWORD: ${{DB_PASSWORD:-x}}\n",
    good=f"{DB}      POSTGRES_PASSWORD: ${{DB_PASSWORD:-x}}\n",
)
def misspelt_variable(ctx: LintContext) -> Iterable[Finding]:
    """A word of a name one letter off a well-known one, or a name that its well-known image does not read."""
    known: dict[str, str] = {}
    for service in ctx.having("environment"):
        own = OWN_NAMES.get(service.image_name)
        for key, entry in service.environment.items():
            if key not in known:
                known[key] = _meant(key)
            meant = known[key]
            if own and not (meant and meant in service.environment):
                meant = _of_image(key, own, service) or meant
            if meant and meant not in service.environment:
                yield ctx.on(service, entry.path, f"Nobody reads {key}. Did you mean {meant}?", key=True)


def _meant(key: str) -> str:
    """The name that is meant by a misspelt one, "" for another."""
    if key in {"tz", "Tz"}:
        return "TZ"
    if len(key) == 4 and key not in {"PUID", "PGID"}:
        return next((name for name in ("PUID", "PGID") if sorted(name) == sorted(key) and key[0] in "PUGI"), "")
    if not key.isupper() or len(key) > 80:
        return ""
    words = key.split("_")
    right = [misspelt(word) or word for word in words]
    return "_".join(right) if right != words else ""


def _of_image(key: str, own: tuple[tuple[str, ...], frozenset[str]], service: ServiceView) -> str:
    first, names = own
    bare = key.removesuffix("_FILE")
    if not key.startswith(first) or bare in names or service.data.get("build"):
        return ""
    if bare in ALIASES:
        return ALIASES[bare] if ALIASES[bare] in names else ""
    near = difflib.get_close_matches(bare, names, n=1, cutoff=0.9)
    return near[0] if near else ""


@rule(
    "HL234",
    Severity.ERROR,
    "A secret's file that the container does not have",
    why="Compose puts a secret at /run/secrets/<name> only into a service that lists it under its own 'secrets': the "
    "program finds no file and does not start, or goes on without a password.",
    link="https://docs.docker.com/compose/how-tos/use-secrets/",
    bad=f"{DB}      POSTGRES_PASSWORD_FILE: /run/secrets/db_password\n"
    "secrets:\n  db_password: {file: ./db_password.txt}\n",
    good=f"{DB}      POSTGRES_PASSWORD_FILE: /run/secrets/db_password\n    secrets: [db_password]\n"
    "secrets:\n  db_password: {file: ./db_password.txt}\n",
)
def secret_not_granted(ctx: LintContext) -> Iterable[Finding]:
    """A variable with a path below ``/run/secrets`` where no secret and no volume of the service is."""
    for service in ctx.services():
        paths: set[str] | None = None
        for entry in service.environment.values():
            text = (entry.value or "").removeprefix("file://").strip()
            if not text.startswith("/run/secrets/") or entry.open or service.partial or service.stack.partial:
                continue
            paths = _secret_paths(service) if paths is None else paths
            if text not in paths and not any(text.startswith(f"{p}/") for p in paths):
                name = text.removeprefix("/run/secrets/")
                granted = sorted(p.removeprefix("/run/secrets/") for p in paths if p.startswith("/run/secrets/"))
                near = difflib.get_close_matches(name, granted, n=1)
                tail = f" Did you mean {near[0]!r}?" if near else " List it under the service's 'secrets'."
                sure = granted or service.stack.section("secrets")
                message = f"{entry.key}: the service has no secret {name!r}.{tail}"
                yield ctx.on(service, entry.path, message, severity=None if sure else Severity.WARNING)


def _secret_paths(service: ServiceView) -> set[str]:
    found = {m.target.rstrip("/") for m in service.mounts if m.target}
    for part in ("secrets", "configs"):
        items = service.data.get(part)
        for item in items if isinstance(items, list) else ():
            source = item if isinstance(item, str) else item.get("source") if isinstance(item, dict) else None
            target = item.get("target") if isinstance(item, dict) else None
            place = str(target or source or "")
            found.add(place if place.startswith("/") else f"/run/secrets/{place}")
    return found


@rule(
    "HL235",
    Severity.WARNING,
    "A value that its variable cannot have",
    why="The image reads this variable as a number, an address, a schedule or one of a few words. With another value "
    "it stops at the start, or does something else than meant.",
    link="https://github.com/qdm12/gluetun-wiki",
    bad=f"{VPN}      VPN_TYPE: wiregard\n",
    good=f"{VPN}      VPN_TYPE: wireguard\n",
)
def odd_value(ctx: LintContext) -> Iterable[Finding]:
    """User ids, ports, and the variables of gluetun and Watchtower that are of one form."""
    for service in ctx.services():
        for key, entry in service.environment.items():
            judge = _EVERY.get(key) or (
                _OF_IMAGE.get((service.image_name, key)) if service.image_name in _IMAGES else None
            )
            if judge and entry.value and not entry.open and entry.value[0] not in "\"'":
                message = judge(entry.value.strip())
                if message:
                    sure = service.image_name == "gluetun" and stops_gluetun(key, entry.value, message)
                    severity = Severity.ERROR if sure else None
                    yield ctx.on(service, entry.path, f"{key}: {message}", severity=severity)
        for entry in port_variables(service):
            text = (entry.value or "").strip()
            if text and not entry.open and not re.fullmatch(r"[0-9]{1,5}", text) and re.fullmatch(r"[\w-]+", text):
                yield ctx.on(service, entry.path, f"{entry.key}: {text!r} is no port.")


def _number(text: str) -> str:
    return "" if text.isascii() and text.isdigit() else f"{text!r} is no number (see 'id -u' and 'id -g')."


def _octal(text: str) -> str:
    return "" if re.fullmatch(r"0?[0-7]{1,3}", text) else f"{text!r} is no mask such as 022."


def _one_of(*known: str) -> Callable[[str], str]:
    def judge(text: str) -> str:
        if text.lower() in known:
            return ""
        near = difflib.get_close_matches(text.lower(), known, n=1)
        return f"{text!r} is not known here." + (f" Did you mean {near[0]!r}?" if near else "")

    return judge


def _ranges(text: str) -> str:
    for item in filter(None, (part.strip() for part in text.split(","))):
        try:
            ipaddress.ip_network(item, strict=False)
        except ValueError:
            return f"{item!r} is no range such as 192.168.1.0/24."
        if "/" not in item:
            return f"{item!r} needs its range: {item}/32."
    return ""


def _ports(text: str) -> str:
    bad = [p for p in text.split(",") if not re.fullmatch(r"\s*[0-9]{1,5}\s*", p)]
    return f"{bad[0].strip()!r} is no port." if bad else ""


def _kept_on(text: str) -> str:
    return "without it everything goes past the VPN when the tunnel drops." if text.lower() in _OFF else ""


_OFF = frozenset({"off", "no", "false", "0", "disabled"})


def _six_fields(text: str) -> str:
    if text.startswith("@") or len(text.split()) == 6:
        return ""
    return "Watchtower's schedules have six fields, seconds first: 0 0 4 * * *."


def _seconds(text: str) -> str:
    return "" if text.isdigit() else f"{text!r} is no number of seconds."


_EVERY: dict[str, Callable[[str], str]] = {"PUID": _number, "PGID": _number, "UMASK": _octal}
_OF_IMAGE: dict[tuple[str, str], Callable[[str], str]] = {
    ("gluetun", "VPN_TYPE"): _one_of("openvpn", "wireguard"),
    ("gluetun", "VPN_SERVICE_PROVIDER"): _one_of(*sorted(PROVIDERS)),
    ("gluetun", "FIREWALL"): _kept_on,
    ("gluetun", "FIREWALL_ENABLED_DISABLING_IT_SHOOTS_YOU_IN_YOUR_FOOT"): _kept_on,
    ("gluetun", "OPENVPN_PROTOCOL"): _one_of("udp", "tcp"),
    ("gluetun", "FIREWALL_OUTBOUND_SUBNETS"): _ranges,
    ("gluetun", "WIREGUARD_ADDRESSES"): _ranges,
    ("gluetun", "FIREWALL_VPN_INPUT_PORTS"): _ports,
    ("gluetun", "FIREWALL_INPUT_PORTS"): _ports,
    ("watchtower", "WATCHTOWER_SCHEDULE"): _six_fields,
    ("watchtower", "WATCHTOWER_POLL_INTERVAL"): _seconds,
}
_IMAGES = frozenset(image for image, _ in _OF_IMAGE)


@rule(
    "HL236",
    Severity.WARNING,
    "An address that is mistyped",
    why="Two schemes, a slash too few or a blank before the value: nothing answers at such an address.",
    link=f"{SERVICES}#environment",
    bad=f"{HEAD}    environment: {{BASE_URL: 'http//app.example.org'}}\n",
    good=f"{HEAD}    environment: {{BASE_URL: 'http://app.example.org'}}\n",
)
def mistyped_address(ctx: LintContext) -> Iterable[Finding]:
    """``http//``, ``http:/x``, ``https://https://`` in variables and labels; a blank at the edge of a list's value."""
    for service in ctx.services():
        for entry in _texts(service):
            text = entry.value or ""
            if text[:1] in "hHwW" and not entry.open and _MISTYPED.match(text):
                yield ctx.on(service, entry.path, f"{entry.key}: the address begins with {text[:9].strip()!r}.")
            elif isinstance(entry.path[1], int) and entry.path[0] == "environment" and text[:1] == " " and text.strip():
                yield ctx.on(service, entry.path, f"{entry.key}: the blank after '=' is part of the value.")


_MISTYPED = re.compile(r"(?:https?|wss?)(?:(?://|:/(?!/)|;//|:\\\\|:///)\S|://(?:https?|wss?)(?::|//))", re.IGNORECASE)


def _texts(service: ServiceView) -> Iterator[Entry]:
    yield from service.environment.values()
    for key, entry in service.labels.items():
        if key.startswith("homepage.") or key.endswith((".address", ".url", "url", "Url")):
            yield entry
