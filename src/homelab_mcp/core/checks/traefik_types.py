"""What kind of value each option of Traefik's dynamic configuration has, and what is wrong with a value.

From Traefik 3's reference of routers, services and HTTP middlewares. Numbers, switches and times are read while the
labels are decoded: over one that cannot be read Traefik leaves out the whole container. The rest is looked at when
the middleware is made: over what it refuses there Traefik drops the routers that use it.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping

from homelab_mcp.core.checks.traefik_regex import refused_regex
from homelab_mcp.model.finding import Severity

Problem = tuple[str, Severity]
"""A sentence, and how bad it is."""

_TEXT = {
    "switch": "basicauth.removeheader digestauth.removeheader contenttype.autodetect forwardauth.trustforwardheader "
    "forwardauth.forwardbody forwardauth.preservelocationheader forwardauth.preserverequestmethod "
    "forwardauth.tls.insecureskipverify headers.accesscontrolallowcredentials headers.addvaryheader "
    "headers.sslredirect headers.ssltemporaryredirect headers.sslforcehost headers.stsincludesubdomains "
    "headers.stspreload headers.forcestsheader headers.framedeny headers.contenttypenosniff headers.browserxssfilter "
    "headers.isdevelopment inflightreq.sourcecriterion.requesthost ratelimit.sourcecriterion.requesthost "
    "passtlsclientcert.pem redirectregex.permanent redirectscheme.permanent stripprefix.forceslash "
    "loadbalancer.passhostheader loadbalancer.sticky.cookie.httponly loadbalancer.sticky.cookie.secure "
    "loadbalancer.healthcheck.followredirects loadbalancer.server.preservepath observability.accesslogs "
    "observability.metrics observability.tracing",
    "number": "buffering.maxrequestbodybytes buffering.memrequestbodybytes buffering.maxresponsebodybytes "
    "buffering.memresponsebodybytes circuitbreaker.responsecode compress.minresponsebodybytes "
    "forwardauth.maxbodysize headers.accesscontrolmaxage headers.stsseconds inflightreq.amount "
    "inflightreq.sourcecriterion.ipstrategy.depth ipallowlist.rejectstatuscode ipallowlist.ipstrategy.depth "
    "ipwhitelist.ipstrategy.depth ratelimit.average ratelimit.burst ratelimit.sourcecriterion.ipstrategy.depth "
    "retry.attempts loadbalancer.healthcheck.port loadbalancer.healthcheck.status loadbalancer.server.weight "
    "loadbalancer.sticky.cookie.maxage loadbalancer.passivehealthcheck.maxfailedattempts",
    "time": "ratelimit.period circuitbreaker.checkperiod circuitbreaker.fallbackduration "
    "circuitbreaker.recoveryduration retry.initialinterval loadbalancer.healthcheck.interval "
    "loadbalancer.healthcheck.unhealthyinterval loadbalancer.healthcheck.timeout "
    "loadbalancer.responseforwarding.flushinterval loadbalancer.passivehealthcheck.failurewindow",
    "ranges": "ipallowlist.sourcerange ipwhitelist.sourcerange",
    "addresses": "ipallowlist.ipstrategy.excludedips ipwhitelist.ipstrategy.excludedips "
    "ratelimit.sourcecriterion.ipstrategy.excludedips inflightreq.sourcecriterion.ipstrategy.excludedips",
    "regex": "redirectregex.regex replacepathregex.regex",
    "regexes": "stripprefixregex.regex headers.accesscontrolalloworiginlistregex",
    "paths": "stripprefix.prefixes addprefix.prefix replacepath.path errors.query loadbalancer.healthcheck.path",
    "codes": "errors.status",
    "scheme": "loadbalancer.server.scheme loadbalancer.healthcheck.scheme",
    "target": "redirectscheme.scheme",
    "url": "forwardauth.address loadbalancer.servers.url",
    "samesite": "loadbalancer.sticky.cookie.samesite",
    "strategy": "loadbalancer.strategy",
    "encodings": "compress.encodings compress.defaultencoding",
    "expression": "circuitbreaker.expression",
    "users": "basicauth.users",
    "digests": "digestauth.users",
}
OPTION_KINDS: Mapping[str, str] = {option: kind for kind, text in _TEXT.items() for option in text.split()}
"""Option below ``middlewares.<name>`` or ``services.<name>`` (no indices) -> kind of its value."""

TIME = re.compile(r"[-+]?(?:[0-9]+|(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:ns|us|[µμ]s|ms|s|m|h))+)")
"""Go's durations; a bare number is seconds."""
SWITCHES = frozenset(["1", "t", "T", "TRUE", "true", "True", "0", "f", "F", "FALSE", "false", "False"])
"""What Go's ParseBool reads."""
_FUNCTIONS = re.compile(r"(?:NetworkErrorRatio\(\)|ResponseCodeRatio\([0-9 ,]+\)|LatencyAtQuantileMS\([0-9. ]+\))")
_COMPARED = re.compile(
    r"\(*X ?(?:<|>|<=|>=|==|!=) ?[0-9.]+\)*(?: ?(?:&&|\|\|) ?\(*X ?(?:<|>|<=|>=|==|!=) ?[0-9.]+\)*)*"
)
_HASHED = re.compile(r"\$(?:2[abxy]|apr1|1|5|6|argon2\w*)\$|\{SHA\}")
_E, _W = Severity.ERROR, Severity.WARNING


def value_problem(option: str, value: str) -> Problem | None:
    """What is wrong with an option's value (``option`` in lower case); None where nothing is, or it is not known."""
    kind = OPTION_KINDS.get(re.sub(r"\[[0-9]+\]", "", option) if "[" in option else option)
    if kind == "regexes" and "[" in option:
        # One item: nobody parts it at its commas.
        kind = "regex"
    return _JUDGES[kind](value.strip()) if kind else None


def words(value: str) -> list[str]:
    """The items of a list in a label."""
    return [item.strip() for item in value.split(",") if item.strip()]


def _switch(value: str) -> Problem | None:
    return None if value in SWITCHES else (f"{value!r} is neither true nor false.", _E)


def _number(value: str) -> Problem | None:
    return None if re.fullmatch(r"[-+]?[0-9]+", value) else (f"{value!r} is no whole number.", _E)


def _time(value: str) -> Problem | None:
    return None if TIME.fullmatch(value) else (f"{value!r} is no time; write 30s or 1m30s.", _E)


def _is_range(text: str) -> bool:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def _ranges(value: str) -> Problem | None:
    for item in words(value):
        if not _is_range(item):
            return f"{item!r} is no address and no range such as 192.168.0.0/16.", _E
    return None


def _regexes(value: str) -> Problem | None:
    return next((p for item in words(value) if (p := _regex(item))), None)


def _regex(value: str) -> Problem | None:
    reason = refused_regex(value)
    return (f"Traefik takes no such regular expression: {reason}.", _E) if reason else None


def _paths(value: str) -> Problem | None:
    for item in words(value):
        if not item.startswith(("/", "{")):
            return f"A path begins with '/': {item!r} fits none.", _W
    return None


def _codes(value: str) -> Problem | None:
    for item in words(value):
        if not re.fullmatch(r"[1-5][0-9]{2}(?:-[1-5][0-9]{2})?", item):
            # Traefik takes any two numbers.
            severity = _W if re.fullmatch(r"[0-9]+(?:-[0-9]+)?", item) else _E
            return f"{item!r} is no status code and no range such as 500-599.", severity
    return None


def _scheme(value: str) -> Problem | None:
    known = {"http", "https", "h2c"}
    return None if value.lower() in known else (f"The scheme is http, https or h2c, not {value!r}.", _E)


def _target(value: str) -> Problem | None:
    known = {"http", "https", "ws", "wss"}
    return None if value.lower() in known else (f"Browsers are sent to http or https, not to {value!r}.", _W)


def _url(value: str) -> Problem | None:
    if re.match(r"(?:https?|h2c|fastcgi|ws|wss)://[^/\s]", value, re.IGNORECASE) or value.startswith(("{", "unix:")):
        return None
    return "The address needs its scheme: http://name:port/path.", _E


def _one_of(known: str, severity: Severity = _W) -> Callable[[str], Problem | None]:
    def judge(value: str) -> Problem | None:
        wrong = [item for item in words(value) if item.lower() not in known.split()]
        return (f"{wrong[0]!r} is none of {known.replace(' ', ', ')}.", severity) if wrong else None

    return judge


def _expression(value: str) -> Problem | None:
    shape = re.sub(r"\s*([()])\s*", r"\1", _FUNCTIONS.sub("X", value)).strip()
    if _COMPARED.fullmatch(re.sub(r"\s+", " ", shape)):
        return None
    return "It compares NetworkErrorRatio(), ResponseCodeRatio(a, b, c, d) or LatencyAtQuantileMS(q) with a number.", _E


def _users(value: str) -> Problem | None:
    for item in words(value):
        name, colon, secret = item.partition(":")
        if not colon or not name:
            return "A user is written name:hash.", _E
        if not _HASHED.match(secret):
            return f"What stands behind {name!r} is no hash (htpasswd -nB {name}): nobody gets in.", _E
    return None


def _digests(value: str) -> Problem | None:
    for item in words(value):
        if item.count(":") != 2:
            return "A user is written name:realm:hash.", _E
    return None


_JUDGES: Mapping[str, Callable[[str], Problem | None]] = {
    "switch": _switch,
    "number": _number,
    "time": _time,
    "ranges": _ranges,
    "addresses": _ranges,
    "regex": _regex,
    "regexes": _regexes,
    "paths": _paths,
    "codes": _codes,
    "scheme": _scheme,
    "target": _target,
    "url": _url,
    "samesite": _one_of("none lax strict"),
    "strategy": _one_of("wrr p2c hrw leasttime"),
    "encodings": _one_of("zstd br gzip", _E),
    "expression": _expression,
    "users": _users,
    "digests": _digests,
}

NEEDS: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "addprefix": (("prefix",),),
    "basicauth": (("users", "usersfile"),),
    "chain": (("middlewares",),),
    "circuitbreaker": (("expression",),),
    "digestauth": (("users", "usersfile"),),
    "errors": (("service",), ("status",)),
    "forwardauth": (("address",),),
    "inflightreq": (("amount",),),
    "ipallowlist": (("sourcerange",),),
    "ipwhitelist": (("sourcerange",),),
    "ratelimit": (("average",),),
    "redirectregex": (("regex",), ("replacement",)),
    "redirectscheme": (("scheme",),),
    "replacepath": (("path",),),
    "replacepathregex": (("regex",), ("replacement",)),
    "retry": (("attempts",),),
    "stripprefix": (("prefixes",),),
    "stripprefixregex": (("regex",),),
}
"""Middleware -> its options without which it does nothing or cannot be made; of several in one pair one is enough."""
REFUSED = frozenset(
    {"addprefix", "basicauth", "digestauth", "circuitbreaker", "ipallowlist", "ipwhitelist", "retry"}
    | {"redirectscheme"}
)
"""Those that Traefik 3.7 was seen to refuse without it, so that the route is gone; others do nothing."""
