"""HL138, HL295: options of a log driver, and logs that nobody keeps."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator
from typing import Any

from homelab_mcp.core.checks.frame import LintContext, rule
from homelab_mcp.core.checks.view import ServiceView
from homelab_mcp.core.compose_model import is_open
from homelab_mcp.model.finding import Finding, Severity

HEAD = "services:\n  web:\n    image: nginx:1.29\n"
_SHARED = frozenset({"mode", "max-buffer-size"})
_TAGGED = frozenset({"labels", "labels-regex", "env", "env-regex", "tag"})
_OPTIONS: dict[str, frozenset[str]] = {
    "json-file": _SHARED | _TAGGED | {"max-size", "max-file", "compress"},
    "local": _SHARED | {"max-size", "max-file", "compress"},
    "journald": _SHARED | _TAGGED,
    "syslog": _SHARED
    | _TAGGED
    | {f"syslog-{name}" for name in ("address", "facility", "format")}
    | {f"syslog-tls-{name}" for name in ("ca-cert", "cert", "key", "skip-verify")},
    "gelf": _SHARED
    | _TAGGED
    | {f"gelf-{name}" for name in ("address", "compression-type", "compression-level")}
    | {"gelf-tcp-max-reconnect", "gelf-tcp-reconnect-delay"},
}
"""What each driver takes (Docker's reference, "Configure logging drivers"); seen with Engine 20.10."""


@rule(
    "HL138",
    Severity.ERROR,
    "A log option that the driver refuses",
    why="Compose passes log options on unread; the engine then refuses the container over a name or a value that the "
    "driver does not know. Without max-size nothing is ever rotated, whatever max-file says.",
    link="https://docs.docker.com/engine/logging/drivers/json-file/",
    bad=f"{HEAD}    logging:\n      driver: json-file\n      options: {{max_size: 10m}}\n",
    good=f"{HEAD}    logging:\n      driver: json-file\n      options: {{max-size: 10m, max-file: '3'}}\n",
    needs="logging",
)
def bad_log_option(ctx: LintContext) -> Iterable[Finding]:
    """An unknown option, a size or number that is none, ``max-file`` that does nothing."""
    for service in ctx.services():
        logging = service.data.get("logging")
        options = logging.get("options") if isinstance(logging, dict) else None
        gelf = isinstance(logging, dict) and logging.get("driver") == "gelf" and not service.partial
        if gelf and (not isinstance(options, dict) or "gelf-address" not in options):
            yield ctx.on(service, ("logging", "driver"), "The log driver 'gelf' needs the option 'gelf-address'.")
        if isinstance(logging, dict) and isinstance(options, dict):
            driver = logging.get("driver") or "json-file"
            if isinstance(driver, str) and driver in _OPTIONS:
                yield from _driver(ctx, service, driver, options, guessed="driver" not in logging)


def _driver(
    ctx: LintContext, service: ServiceView, driver: str, options: dict[Any, Any], *, guessed: bool
) -> Iterator[Finding]:
    for name, value in options.items():
        path = ("logging", "options", name)
        text = None if value is None or is_open(value) else str(value).lower() if value in (True, False) else str(value)
        if str(name) not in _OPTIONS[driver]:
            # Without a driver the engine's own default counts, which daemon.json may have changed.
            known = any(str(name) in options for options in _OPTIONS.values())
            if not guessed or not (known or "-" in str(name)):
                near = difflib.get_close_matches(str(name).replace("_", "-"), _OPTIONS[driver], n=1)
                tail = f" Did you mean {near[0]!r}?" if near else ""
                yield ctx.on(service, path, f"The log driver {driver!r} has no option {str(name)!r}.{tail}", key=True)
        elif text is not None:
            problem = _value_problem(str(name), text, options)
            if problem:
                yield ctx.on(service, path, problem)
    if driver == "json-file" and str(options.get("compress")).lower() in ("1", "t", "true") and _one_file(options):
        message = "'compress' needs max-size, and max-file from 2 on: only files that were rotated are compressed."
        yield ctx.on(service, ("logging", "options", "compress"), message, key=True)
    if driver == "local" and str(options.get("max-file")) == "1" and str(options.get("compress")).lower() != "false":
        message = "With one file nothing can be compressed: add 'compress: \"false\"', or more files."
        yield ctx.on(service, ("logging", "options", "max-file"), message)
    if driver == "json-file" and "max-file" in options and "max-size" not in options:
        yield ctx.on(
            service,
            ("logging", "options", "max-file"),
            "Without max-size the log is never rotated and max-file does nothing.",
            key=True,
            severity=Severity.WARNING,
        )


def _one_file(options: dict[Any, Any]) -> bool:
    files = options.get("max-file", 1)
    return "max-size" not in options or (not is_open(files) and str(files) in ("0", "1"))


def _value_problem(name: str, text: str, options: dict[Any, Any]) -> str:
    if name in {"max-size", "max-buffer-size"}:
        if not _SIZE.fullmatch(text) or float(re.split("[^0-9.]", text)[0] or 0) == 0:
            return f"'{name}' is a size above 0, such as 10m."
        if name == "max-buffer-size" and options.get("mode") != "non-blocking" and not is_open(options.get("mode")):
            return "'max-buffer-size' needs 'mode: non-blocking'."
    elif name == "max-file" and not (re.fullmatch("[0-9]{1,9}", text) and int(text) > 0):
        return "'max-file' is a whole number from 1 on."
    elif name in _ADDRESSES and text and not re.fullmatch(_ADDRESSES[name][0], text):
        return f"'{name}' is written {_ADDRESSES[name][1]}."
    elif name == "mode" and text not in {"blocking", "non-blocking"}:
        return "'mode' is blocking or non-blocking."
    elif name == "compress" and text not in _BOOLEANS:
        return "'compress' is true or false."
    return ""


_ADDRESSES = {
    "gelf-address": (r"(?:udp|tcp)://(?:[^:/]+|\[[0-9a-fA-F:]+\]):[0-9]+(?:/.*)?", "udp://host:port"),
    "syslog-address": (r"(?:udp|tcp|tcp\+tls|unix|unixgram)://.+", "udp://host:514, tcp://... or unix:///dev/log"),
}
"""Option -> what the driver takes (moby, daemon/logger/gelf and syslog; seen with the engine)."""

_SIZE = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,9})? ?(?:[kKmMgGtTpP](?:[iI]?[bB])?|[bB])?")
_BOOLEANS = frozenset(["1", "t", "T", "true", "TRUE", "True", "0", "f", "F", "false", "FALSE", "False"])


@rule(
    "HL295",
    Severity.WARNING,
    "Logs thrown away",
    why="With the driver 'none' nothing is kept: when it breaks, nobody can see why, and log watchers see nothing.",
    link="https://docs.docker.com/engine/logging/configure/#supported-logging-drivers",
    bad=f"{HEAD}    logging: {{driver: none}}\n",
    good=f"{HEAD}    logging: {{driver: local, options: {{max-size: 10m}}}}\n",
    needs="logging",
)
def no_logs(ctx: LintContext) -> Iterable[Finding]:
    """``driver: none``."""
    for service in ctx.having("logging"):
        logging = service.data.get("logging")
        if isinstance(logging, dict) and logging.get("driver") == "none":
            yield ctx.on(service, ("logging", "driver"), "Its log is thrown away; 'local' keeps it small.")
