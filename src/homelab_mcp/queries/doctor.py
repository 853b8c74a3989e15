"""Whether the machine and the lab have what homelab-mcp needs, and what it left behind."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from homelab_mcp.core.approver_record import RECORDS, Standing, key_name, recorded, standing, told
from homelab_mcp.core.open_applies import failed_applies
from homelab_mcp.core.prerequisites import HOME_DOMAIN, check_host, question_of
from homelab_mcp.core.redact import safe
from homelab_mcp.model.errors import HomelabError
from homelab_mcp.model.host import Check
from homelab_mcp.model.lab import COMPOSE_NAMES, PRIVATE_FOLDER, SETTINGS_FILE, LabSettings
from homelab_mcp.model.observed import ContainerState
from homelab_mcp.model.plan import PlanState
from homelab_mcp.ports import Lab
from homelab_mcp.queries.find import read_stacks
from homelab_mcp.queries.private_state import loose_state

OLDEST_PYTHON = (3, 11)
OLDEST_COMPOSE = (2, 20)
_RUNNING = frozenset({PlanState.QUEUED, PlanState.APPLYING})
_SHOWN = 3
_TEMPORARY = re.compile(r"\.homelab-tmp$")


_BEFORE = frozenset({"python", "lab", "env_modes", "docker", "compose", "machine"})
"""What can be said before a lab is made."""


def doctor(lab: Lab) -> list[Check]:
    """Every check, in the order a person would go through them; no check's failure stops the others."""
    steps: tuple[tuple[str, Callable[[Lab], Iterator[Check]]], ...] = (
        ("python", _python),
        ("lab", _lab),
        ("settings", _settings),
        ("env_modes", _env_modes),
        ("docker", _docker),
        ("compose", _compose),
        ("machine", _machine),
        ("private_state", _private_state),
        ("encryption_key", _key),
        ("journal", _journal),
        ("applies", _applies),
        ("roll_backs", _roll_backs),
        ("approver", _approver),
        ("http_tokens", _http_tokens),
    )
    if not _begun(lab):
        # Of a lab that is not there each of the others would say the same: that it is not there.
        steps = tuple(step for step in steps if step[0] in _BEFORE)
    found: list[Check] = []
    for name, step in steps:
        try:
            found += step(lab)
        except HomelabError as error:
            found.append(Check(name, False, safe(error.message), safe(error.hint)))
        except OSError as error:
            found.append(Check(name, False, f"Could not be looked at: {error.strerror or 'system error'}."))
    return found


def _begun(lab: Lab) -> bool:
    """Whether somebody made a lab there, or something of one is left."""
    return lab.files.read(SETTINGS_FILE) is not None or os.path.lexists(os.path.join(lab.root, PRIVATE_FOLDER))  # noqa: PTH118


def _python(_: Lab) -> Iterator[Check]:
    version = ".".join(str(n) for n in sys.version_info[:3])
    yield Check("python", sys.version_info[:2] >= OLDEST_PYTHON, f"Python {version}.", "Install Python 3.11 or newer.")


def _lab(lab: Lab) -> Iterator[Check]:
    init = "Run `homelab-mcp init`, which makes the lab."
    if not os.path.isdir(lab.root):  # noqa: PTH112 - asks, reads nothing
        yield Check("lab", False, f"There is no folder {lab.root}.", init)
        return
    stacks = lab.files.stack_folders()
    if _begun(lab):
        yield Check("lab", True, f"{len(stacks)} stacks in {lab.root}.")
    else:
        yield Check("lab", False, f"No lab was made in {lab.root} yet; it has {len(stacks)} stacks.", init)
    known = {name for name, _ in stacks}
    left_out = sorted(
        entry.name
        for entry in Path(lab.root).iterdir()
        if entry.name not in known
        and not entry.name.startswith(".")
        and any((entry / f).exists() for f in COMPOSE_NAMES)
    )
    if left_out:
        yield Check(
            "stack_names",
            False,
            f"Left out, as they are links or their names are no project names: {', '.join(map(ascii, left_out[:10]))}.",
            "Stack folders have lower-case letters, digits, - and _ in their names; rename them to manage them here.",
        )
    writable = os.access(lab.root, os.W_OK | os.X_OK)
    said = "The lab's folder can be written." if writable else "This user may not write in the lab's folder."
    yield Check("lab_writable", writable, said, f"Run as the user that owns it, or `sudo chown -R $USER {lab.root}`.")
    there = os.path.isdir(os.path.join(lab.root, ".git"))  # noqa: PTH112, PTH118 - asks, reads nothing
    if not there and not _begun(lab):
        return
    yield Check("git", there, "The lab has a git history." if there else "The lab has no git history.", init)


def _settings(lab: Lab) -> Iterator[Check]:
    settings = lab.settings
    yield Check("settings", True, f"{SETTINGS_FILE} is valid; the domain is {settings.domain}.")


def _env_modes(lab: Lab) -> Iterator[Check]:
    names = [f"{name}/.env" for name, _ in lab.files.stack_folders()]
    open_to_others = [name for name in names if (lab.files.mode(name) or 0) & 0o077]
    if open_to_others:
        shown = ", ".join(open_to_others[:5]) + (" and more" if len(open_to_others) > 5 else "")
        yield Check("env_modes", False, f"Other users can read {shown}.", "Run `chmod 600` on them.")
    else:
        yield Check("env_modes", True, "No .env file can be read by other users.")


def _docker(lab: Lab) -> Iterator[Check]:
    if lab.files_only:
        yield Check("docker", True, "Not asked: this lab is used for its files only.")
        return
    info = lab.engine.info()
    yield Check("docker", True, f"Docker {info.version} (API {info.api_version}), {info.containers_running} running.")


def _compose(lab: Lab) -> Iterator[Check]:
    version = lab.compose.version()
    numbers = tuple(int(n) for n in re.findall(r"\d+", version)[:2])
    oldest = ".".join(str(n) for n in OLDEST_COMPOSE)
    yield Check(
        "compose", numbers >= OLDEST_COMPOSE, f"Compose {version}.", f"Run script/setup, or install Compose {oldest}+."
    )


def _machine(lab: Lab) -> Iterator[Check]:
    yield from machine(lab, lab.settings if _begun(lab) else LabSettings(domain=HOME_DOMAIN))


def machine(lab: Lab, settings: LabSettings) -> Iterator[Check]:
    """What the lab needs of this machine; a lab that is used for its files only has no ports of its own."""
    facts = lab.host.facts(question_of(settings, lab.root))
    if lab.files_only:
        yield from (c for c in check_host(facts, settings, lab.root, {}) if not c.name.startswith("port_"))
        return
    try:
        owners = _publishers(lab.engine.containers(besides=True))
    except HomelabError:
        owners = {}  # said by the check of Docker itself
    yield from check_host(facts, settings, lab.root, owners)


def _publishers(containers: tuple[ContainerState, ...]) -> dict[int, str]:
    mine = (c for c in containers if c.stack and not c.host)
    return {p.host_port: c.name for c in mine for p in c.ports if p.protocol == "tcp"}


def _journal(lab: Lab) -> Iterator[Check]:
    trouble = lab.journal.verify()
    yield Check(
        "journal",
        not trouble,
        safe(trouble) or "The journal's hashes hold.",
        "Somebody edited it or the disk failed: keep a copy, then compare with the lab's git history.",
    )


def _private_state(lab: Lab) -> Iterator[Check]:
    loose = loose_state(lab)
    said = loose[0] if loose else f"{PRIVATE_FOLDER} can be read by its owner only."
    hint = f"Run `chmod -R go= {os.path.join(lab.root, PRIVATE_FOLDER)}` as its owner."  # noqa: PTH118 - words
    yield Check("private_state", not loose, said, hint)


def _key(lab: Lab) -> Iterator[Check]:
    report = lab.vault.report()
    if not report.lab_id:
        yield Check("encryption_key", True, "No key yet: the first plan makes one.")
        return
    what = f"Key {report.key_id} is at {report.path}; keep a backup of it."
    if report.keys > 1:
        yield Check("encryption_key", False, "A key rotation was cut off.", "Run `homelab-mcp key rotate`.")
    hint = "Put the key's backup there, or `chmod 600` it; see docs/vault.md."
    yield Check("encryption_key", not report.problem, report.problem or what, hint)


def _applies(lab: Lab) -> Iterator[Check]:
    open_ones = [plan.id for plan, status in lab.plans.list(outline=True) if status.state in _RUNNING]
    yield Check(
        "applies",
        not open_ones,
        f"Apply {open_ones[0]} has not ended." if open_ones else "No apply is open.",
        "If none is at work now, run `homelab-mcp recover`.",
    )
    left = [
        f"{folder}/{name}" if folder else name
        for folder in ("", *(stack.name for stack in read_stacks(lab.files)))
        for name in os.listdir(os.path.join(lab.root, folder))  # noqa: PTH118, PTH208 - names only
        if _TEMPORARY.search(name)
    ]
    yield Check(
        "temporary_files",
        not left,
        f"A killed write left {', '.join(left[:3])}." if left else "No temporary file was left behind.",
        "Run `homelab-mcp recover`.",
    )


def _roll_backs(lab: Lab) -> Iterator[Check]:
    """Those that failed: until somebody settles them, they hold up plans for their stacks (``rollback_unsettled``)."""
    failed = [(str(e.get("plan", "")), safe(str(e.get("summary", "")))) for e in failed_applies(lab.journal.recent())]
    if not failed:
        yield Check("roll_backs", True, "No failed roll-back waits to be put right.")
        return
    told = "; ".join(f"{plan} ({summary})" for plan, summary in failed[:_SHOWN])
    more = f" and {len(failed) - _SHOWN} more" if len(failed) > _SHOWN else ""
    yield Check(
        "roll_backs",
        False,
        f"Failed roll-backs hold up further plans for their stacks: {told}{more}.",
        "Run `homelab-mcp recover`, which tries again; or put it right by hand, then run "
        f"`homelab-mcp recover --as-it-is {failed[0][0]}`.",
    )


def _approver(lab: Lab) -> Iterator[Check]:
    public = lab.approver.public()
    if not public:
        yield Check("approver", False, "No approval PIN is set.", "Run `homelab-mcp init` in a terminal to set one.")
        return
    signed_by = lab.approver.signed_by
    known = recorded(lab.journal.entries(of=RECORDS), signed_by)
    replaced = standing(known, public, lab.approver.links(), signed_by) is Standing.REPLACED
    said = f"The approval PIN is set; its key is {told(known) if known else key_name(public)}."
    if replaced and known:
        said = f"The approver's key is {key_name(public)}, on record is {told(known)}: no answer signed with it counts."
    hint = "If you set a new PIN yourself, run `homelab-mcp approver accept`; if not, find out who wrote that file."
    yield Check("approver", not replaced, said, hint)


def _http_tokens(lab: Lab) -> Iterator[Check]:
    """What ``serve --http`` would ask of clients, started from here; one at work may have a token of its own."""
    make = "Run `homelab-mcp token create NAME`."
    usable = [token for token in lab.tokens.list() if not token.expired(lab.clock.now())]
    static = bool(os.environ.get("HOMELAB_HTTP_TOKEN"))
    if usable or static:
        said = f"{len(usable)} in the lab" + (", and HOMELAB_HTTP_TOKEN" if static else "")
        yield Check("http_tokens", True, f"HTTP clients need a token: {said}.")
    elif lab.tokens.exists():
        yield Check("http_tokens", False, "HTTP clients need a token, and none is left that counts.", make)
    else:
        said = "`serve --http` on loopback would listen without a token, for any program of this machine; other "
        yield Check(
            "http_tokens", True, f"{said}addresses it refuses. To ask for one: `homelab-mcp token create NAME`."
        )
