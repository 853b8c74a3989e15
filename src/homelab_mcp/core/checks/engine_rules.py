"""HL900 to HL902: what Compose itself says, where it was asked, and HL903: a rule that failed.

They have pages as rules have, but no check here.
"""

from __future__ import annotations

from collections.abc import Iterable

from homelab_mcp.core.checks.frame import LintContext, Rule, all_rules
from homelab_mcp.core.checks.guard import FAILED
from homelab_mcp.model.finding import Finding, Severity

_HEAD = "services:\n  web:\n    image: nginx:1.29\n"


def _asked_elsewhere(ctx: LintContext) -> Iterable[Finding]:
    return ()


REFUSED = Rule(
    "HL900",
    Severity.ERROR,
    "Compose refuses this file",
    "`docker compose config` was asked and says no, whatever the variables hold.",
    "https://docs.docker.com/reference/cli/docker/compose/config/",
    "services:\n  web:\n    imgae: nginx:1.29",
    _HEAD.strip("\n"),
    _asked_elsewhere,
)

INCOMPLETE = Rule(
    "HL901",
    Severity.ERROR,
    "Compose cannot fill in this file",
    "The file itself is right, but a variable or an env_file is missing or does not fit: `docker compose config` "
    "takes the file as soon as fitting values stand in for them.",
    "https://docs.docker.com/reference/compose-file/interpolation/",
    f"{_HEAD}    environment:\n      KEY: ${{KEY:?set it}}",
    f"{_HEAD}    environment:\n      KEY: ${{KEY:-none}}",
    _asked_elsewhere,
)

DISAGREES = Rule(
    "HL902",
    Severity.INFO,
    "Compose accepts what this linter calls an error",
    "One of the two is wrong, most likely the linter: please report it with the lines in question.",
    "https://docs.docker.com/reference/cli/docker/compose/config/",
    "# an error of another rule on a line that `docker compose config` accepts",
    _HEAD.strip("\n"),
    _asked_elsewhere,
)

RULE_FAILED = Rule(
    FAILED,
    Severity.WARNING,
    "A rule that failed over this file",
    "A fault of this linter: the other rules have spoken, this one may not have said all. Please report it with the "
    "lines that it fails over; the log has the details.",
    "https://docs.docker.com/reference/compose-file/",
    "# any file that a rule does not foresee",
    _HEAD.strip("\n"),
    _asked_elsewhere,
)

ENGINE_RULES = (REFUSED, INCOMPLETE, DISAGREES)
"""Rules that speak only where ``docker compose`` was asked; no part of ``all_rules``."""


def listed_rules() -> tuple[Rule, ...]:
    """Every rule that a finding may name: those of this linter, Compose's own word, and that a rule failed."""
    return (*all_rules(), *ENGINE_RULES, RULE_FAILED)


STRUCTURE = frozenset({"HL001", "HL002", "HL004", "HL010", "HL011"})
"""Rules whose errors Compose sees in the file as written, before it puts a variable in."""

_MEANING = "HL012 HL016 HL017 HL019 HL020 HL021 HL022 HL023 HL026 HL028 HL030 HL031 HL033 HL036 HL038 HL040 HL120"
_OTHERS = "HL027 HL125 HL126 HL137 HL151 HL161"
VARIABLES = frozenset({"HL051", "HL052", "HL053"})
"""Rules whose errors Compose sees when it puts variables in."""

SAME_AS_CONFIG = STRUCTURE | VARIABLES | frozenset(f"{_MEANING} {_OTHERS}".split())
"""Rules whose errors ``docker compose config`` reports too: see :func:`is_configs_too`."""

_HOST = (
    "HL014 HL025 HL293 HL032 HL035 HL041 HL046 HL057 HL122 HL123 HL131 HL132 HL133 HL210 HL221 HL321 HL322 HL323 HL324"
)
_PROGRAM = (
    "HL048 HL050 HL061 HL107 HL208 HL213 HL230 HL231 HL234 HL241 HL242 HL244 HL245 HL246 HL250 HL254 HL257 HL259 "
    "HL260 HL261 HL265 HL268 HL273 HL049 HL211 HL232 HL238 HL251 HL262 HL276 HL279 HL280 HL283 HL239 "
    "HL288 HL289 HL291 HL292 HL305 HL331 HL332 HL334 HL335 HL338"
)
_TRAEFIK = (
    "HL060 HL062 HL063 HL064 HL065 HL066 HL067 HL068 HL069 HL071 HL072 HL074 HL076 HL084 HL085 HL204 HL220 HL224 HL225 "
    "HL226 HL227 HL229 HL247 HL203 HL205 HL278 HL087 HL191 HL333 HL339 HL070"
)
_ENGINES_PART = {"HL053": "no image", "HL125": "No card has"}
"""Words by which a message of such a rule is known as the engine's business all the same."""

ENGINE_ONLY = frozenset(f"{_HOST} {_PROGRAM} {_TRAEFIK}".split())
"""Rules whose errors ``config`` never reports: they are the engine's, Traefik's or the program's in the container.

Every other rule's errors may or may not be ``config``'s too.
"""


def is_configs_too(finding: Finding) -> bool:
    """Whether ``config`` must refuse the file as well; where it does not, one of the two is wrong."""
    # The engine alone refuses an image whose tag is an empty variable ("nginx:"), and a capability that no card has.
    alone = _ENGINES_PART.get(finding.rule)
    return finding.rule in SAME_AS_CONFIG and not (alone and alone in finding.message)
