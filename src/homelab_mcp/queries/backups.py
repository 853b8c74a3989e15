"""What backups there are, when the last one held, and what no backup covers."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from homelab_mcp.core.backup_jobs import Jobs
from homelab_mcp.core.backup_there import override_path
from homelab_mcp.model.errors import EngineFailed, EngineUnavailable
from homelab_mcp.model.lab import LOCAL
from homelab_mcp.ports import Lab, Restic
from homelab_mcp.queries.backup_list import READ_SECONDS, Backup, Others, listing
from homelab_mcp.queries.backup_place import Place, backup_place
from homelab_mcp.queries.backup_told import ended_early, made_before

RUN_SECONDS = 12 * 3600.0
VERIFY_SECONDS = 3600.0
BUSY = 75
"""The script's exit code while another run of it is at work."""
_LATE_HOURS = {"day": 36, "week": 8 * 24, "month": 32 * 24}
"""When a backup is late: by how often the schedule runs."""


@dataclass(frozen=True, slots=True)
class Report:
    """How the backup of one of a lab's Docker hosts stands.

    Args:
        repository: where it goes.
        schedule: five cron fields, in the lab's time zone.
        last: the last run: result (ok, incomplete, failed), ended (RFC 3339), problems; None before the first.
        last_ok: when a run last ended without a problem; "" for never.
        backups: the newest first.
        total: how many there are.
        databases: ``stack/service (kind)`` of what is dumped.
        uncovered: sentences on what no backup holds.
        problems: sentences on what a person should look at; none when all is well.
        last_check: the last check that came to its end, as ``verify_backup`` returns it, with ended (RFC 3339); None
            before the first, and where the container has the script of a version before.
        at_work: ``backup`` or ``check`` while one is at work, else "".
        others: backups in the repository that are not counted here, as they have another lab's id; this lab's of before
            it came to another machine may be among them.
        note: a sentence on what is as it should be and may be tidied by hand; None where there is nothing.
        host: the Docker host; ``local`` is the lab's machine.
        asked: whether anybody said what its runs came to; else ``last`` and ``last_ok`` tell nothing.
    """

    repository: str
    schedule: str
    last: dict[str, Any] | None
    last_ok: str
    backups: tuple[Backup, ...]
    total: int
    databases: tuple[str, ...]
    uncovered: tuple[str, ...]
    problems: tuple[str, ...]
    last_check: dict[str, Any] | None = None
    at_work: str = ""
    others: tuple[Others, ...] = ()
    note: str | None = None
    host: str = LOCAL
    asked: bool = True


def report(lab: Lab, *, most: int = 10, host: str = LOCAL) -> Report:
    """How a host's backup stands; what cannot be asked is among the problems.

    Raises NotFound (``no_backup``), InvalidInput (``bad_backup_config``).
    """
    place = backup_place(lab, host)
    problems: list[str] = []
    backups: tuple[Backup, ...] = ()
    others: tuple[Others, ...] = ()
    note: str | None = None
    last: dict[str, Any] | None = None
    last_ok: dict[str, Any] | None = None
    lines: list[str] = []
    try:
        lines = lab.restic_at(host).read(["status"], seconds=READ_SECONDS).splitlines()
        last, last_ok = (_json(line) for line in (*lines, "null", "null")[:2])
        backups, others, note = (found := listing(lab, host)).backups, found.others, found.note
    except (EngineFailed, EngineUnavailable) as error:
        problems.append(f"{error.message} {error.hint}".strip())
    if lines:
        problems += _judged(lab.clock.now(), place.config.schedule, last, last_ok)
    problems += ended_early(lines)
    if host != LOCAL and lines:
        problems += made_before(lines, lab.files.read(override_path(place.stack)), place.service)
    checked = _last_check(lines)
    if checked is not None and not checked["ok"]:
        problems.append(f"The last check did not pass: {'; '.join([*checked['problems'], *checked['differs']])[:600]}")
    return Report(
        place.config.repository,
        place.config.schedule,
        _shown(last),
        _when((last_ok or {}).get("ended")),
        backups[:most],
        len(backups),
        _dumped(place.jobs),
        _uncovered(place.jobs),
        tuple(problems),
        checked,
        next((line[6:] for line in lines if line.startswith("WORKS ")), ""),
        others,
        note,
        host,
        bool(lines),
    )


def unasked(place: Place, problem: str) -> Report:
    """What a host's settings alone say of its backup, where nobody there could be asked, and why."""
    jobs, config = place.jobs, place.config
    return Report(
        config.repository,
        config.schedule,
        None,
        "",
        (),
        0,
        _dumped(jobs),
        _uncovered(jobs),
        (problem,),
        host=place.host,
        asked=False,
    )


def _dumped(jobs: Jobs) -> tuple[str, ...]:
    return tuple(f"{d.stack}/{d.service} ({d.kind})" for d in jobs.dumps)


def _uncovered(jobs: Jobs) -> tuple[str, ...]:
    return tuple(f"{where}: {what} ({why})" for where, what, why in jobs.uncovered)


def run_backup(lab: Lab, on_step: Callable[[str], None] | None = None, *, host: str = LOCAL) -> dict[str, Any]:
    """Make a host's backup now; ``on_step`` is told each step and how far it is. The run's own record is the answer.

    Raises EngineFailed (``backup_at_work``, ``backup_failed``) and as ``Restic`` does.
    """
    backup_place(lab, host)
    return made_now(lab.restic_at(host), on_step)


def made_now(restic: Restic, on_step: Callable[[str], None] | None = None) -> dict[str, Any]:
    """The same, by the container alone; what ``on_step`` raises leaves the run to go on without anybody."""

    def heard(line: str) -> None:
        if on_step is not None and (told := progress(line)):
            on_step(told)

    before = _last_run(restic)
    code, lines = restic.run(["backup"], seconds=RUN_SECONDS, on_line=heard)
    if code == BUSY:
        raise EngineFailed(
            "A backup is at work already.", hint="Wait until it ends; see `homelab-mcp backups`.", code="backup_at_work"
        )
    last = _last_run(restic)
    # One that was killed leaves no record: what is there is the run's before. Two short runs may share their second.
    if last is None or last == before or (code != 0 and last.get("result") == "ok"):
        raise EngineFailed(
            "The backup ended without a word on how.",
            hint="See the logs of the backup's container.",
            code="backup_failed",
            details={"output": "\n".join(lines[-10:])},
        )
    return _shown(last) or {}


def _last_run(restic: Restic) -> dict[str, Any] | None:
    return _json((restic.read(["status"], seconds=READ_SECONDS).splitlines() or ["null"])[0])


def verify_backup(
    lab: Lab, *, sample: int = 5, on_step: Callable[[str], None] | None = None, host: str = LOCAL
) -> dict[str, Any]:
    """Restic's own check, and a sample of files and all dumps restored and compared with what is here.

    Returns ok, and lists of what was the same, newer here than there, or different. Raises EngineFailed
    (``backup_at_work``: a backup, or another check), and as ``Restic`` does.
    """
    backup_place(lab, host)

    def heard(line: str) -> None:
        if on_step is not None and (told := progress(line)):
            on_step(told)

    code, lines = lab.restic_at(host).run(["verify", str(sample)], seconds=VERIFY_SECONDS, on_line=heard)
    if code == BUSY:
        what = "A backup" if any("backup" in line for line in lines) else "A check"
        raise EngineFailed(
            f"{what} is at work already.", hint="Wait until it ends; `backups` tells.", code="backup_at_work"
        )
    return _compared(code, lines)


def _last_check(status: list[str]) -> dict[str, Any] | None:
    """The last check among the lines of the script's ``status``."""
    at = next((n for n, line in enumerate(status) if line.startswith("CHECKED ")), None)
    words = status[at].split() if at is not None else []
    if at is None or len(words) != 4 or not all(w.isdigit() for w in words[1:]):
        return None
    return {"ended": _when(int(words[2])), **_compared(int(words[3]), status[at + 1 :])}


def _compared(code: int, lines: list[str]) -> dict[str, Any]:
    found: dict[str, list[str]] = {"SAME": [], "NEWER": [], "DIFFERS": [], "PROBLEM": []}
    for line in lines:
        word, _, rest = line.partition(" ")
        if word in found:
            found[word].append(rest)
    good = code == 0 and not found["DIFFERS"] and not found["PROBLEM"] and bool(found["SAME"] or found["NEWER"])
    return {
        "ok": good,
        "checked": code == 0,
        "same": len(found["SAME"]),
        "newer_here": found["NEWER"][:20],
        "differs": found["DIFFERS"][:20],
        "problems": found["PROBLEM"][:20],
    }


def progress(line: str) -> str:
    """A line of the script as a person reads it; "" for one that says nothing new."""
    if line.startswith("STEP "):
        return line[5:]
    if line.startswith("PROBLEM "):
        return f"problem: {line[8:]}"
    if line.startswith("{"):
        data = _json(line) or {}
        if data.get("message_type") == "status":
            return f"{100 * float(data.get('percent_done') or 0):.0f} % of {_size(data.get('total_bytes'))}"
        if data.get("message_type") == "summary":
            return f"{_size(data.get('data_added'))} new in {data.get('total_files_processed', 0)} files"
    return ""


def _judged(now: float, schedule: str, last: dict[str, Any] | None, last_ok: dict[str, Any] | None) -> list[str]:
    if last is None:
        return ["No backup has been made yet."]
    told = []
    if last.get("result") != "ok":
        told.append(f"The last run was {last.get('result')}: {'; '.join(map(str, last.get('problems') or []))[:600]}")
    hours = (now - float((last_ok or {}).get("ended") or 0)) / 3600
    if last_ok is None:
        told.append("No run has ended without a problem yet.")
    elif (
        hours > _LATE_HOURS["week" if schedule.split()[4] != "*" else "month" if schedule.split()[2] != "*" else "day"]
    ):
        told.append(f"The last run without a problem was {hours / 24:.1f} days ago.")
    return told


def _shown(run: dict[str, Any] | None) -> dict[str, Any] | None:
    if run is None:
        return None
    begun, ended = float(run.get("started") or 0), float(run.get("ended") or 0)
    return {
        "result": str(run.get("result", "")),
        "ended": _when(ended),
        "seconds": round(ended - begun),
        "snapshot": str(run.get("snapshot", ""))[:8],
        "problems": [str(p) for p in run.get("problems") or []][:20],
    }


def _json(text: str) -> dict[str, Any] | None:
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _when(seconds: Any) -> str:
    return datetime.fromtimestamp(float(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if seconds else ""


def _size(count: Any) -> str:
    value = float(count or 0)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024 or unit == "GiB":
            return f"{value:.1f} {unit}" if unit != "B" else f"{value:.0f} B"
        value /= 1024
    return ""
