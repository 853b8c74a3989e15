"""How grave a log line is, told by its own words: JSON, logfmt, access logs and what programs commonly print."""

from __future__ import annotations

import re

LEVELS = ("debug", "info", "warn", "error", "fatal")
"""From the least to the gravest."""

_LOOKED_AT = 2_000
_FRONT = 200
# Keys as zap, zerolog, logrus, pino, log4j, Python's json loggers and the Elastic Common Schema have them.
_JSON = re.compile(
    r'"(?:level|lvl|severity|log\.level|levelname|loglevel|log_level|@l)"\s*:\s*"?([A-Za-z]+|\d{2})\b', re.I
)
_LOGFMT = re.compile(r'\b(?:level|lvl|severity)=["\']?([A-Za-z]+)')
_STATUS = re.compile(r'"DownstreamStatus"\s*:\s*(\d{3})|^\S+ \S+ .{1,80}\] "[^"]{0,1500}" (\d{3}) ')
_WORDS = (
    "TRACE|TRC|DEBUG|DBG|VERBOSE|INFO|INF|NOTICE|LOG|WARNING|WARN|WRN|ERROR|EROR|ERR|CRITICAL|CRIT|SEVERE|FATAL|FTL|PANIC|"
    "ALERT|EMERGENCY|EMERG"
)
_LOUD = re.compile(rf"(?:^|[\s\[(|<:=])({_WORDS})(?=[\s\])|>:,]|$)")
_SET_APART = re.compile(rf"[\[(|<]\s{{0,2}}({_WORDS})\s{{0,4}}[\])|>]|(?:^|[\s\]])({_WORDS}):", re.I)
_KLOG = re.compile(r"^([IWEF])\d{4} \d\d:\d\d:\d\d\.")
_REDIS = re.compile(r"^\d+:[A-Z] \d\d \w{3} \d{4} [\d:.]+ ([.*#-]) ")
_LAST_WORDS = re.compile(
    r"^(?:panic: |fatal error: |thread '.{1,60}' panicked at |(Traceback \(most recent call last\)))"
)
_MEANING = {
    **dict.fromkeys(("trace", "trc", "debug", "dbg", "verbose", "10", "20", "-", "."), "debug"),
    **dict.fromkeys(("info", "inf", "notice", "log", "information", "informational", "30", "i", "*"), "info"),
    **dict.fromkeys(("warning", "warn", "wrn", "40", "w", "#"), "warn"),
    **dict.fromkeys(("error", "eror", "err", "50", "e", "severe"), "error"),
    **dict.fromkeys(("critical", "crit", "fatal", "ftl", "panic", "alert", "emergency", "emerg", "60", "f"), "fatal"),
}


def level_of(text: str) -> str:
    """One of :data:`LEVELS`, or "" where the line does not say.

    A word is taken for a level where it stands as programs put it (``level=warn``, ``[error]``, ``ERROR:``), not
    anywhere in a sentence. An answer of 500 or more in an access log is an error, of 400 or more a warning.
    """
    text = text[:_LOOKED_AT]
    if found := _STATUS.search(text):
        status = int(found[1] or found[2])
        return "error" if status >= 500 else "warn" if status >= 400 else "info"
    if text.lstrip()[:1] == "{" and (found := _JSON.search(text)):
        return _MEANING.get(found[1].lower(), "")
    front = text[:_FRONT]
    if found := _LAST_WORDS.match(front):
        return "error" if found[1] else "fatal"
    for pattern in (_KLOG, _REDIS, _LOGFMT, _SET_APART, _LOUD):
        if found := pattern.search(front):
            return _MEANING.get((found[1] or found[2]).lower(), "")
    return ""


def at_least(level: str, least: str) -> bool:
    """Whether a level is as grave as ``least`` ("" asks for nothing, and "" as a level is as grave as nothing)."""
    return not least or (level != "" and LEVELS.index(level) >= LEVELS.index(least))
