"""How a container ended: its exit code, the signal, memory, a person."""

from __future__ import annotations

import re
from collections.abc import Iterator

from homelab_mcp.core.diagnosis.clues import call, control, own_command, quoted, repair, said, whole_seconds
from homelab_mcp.model.diagnosis import Cause, ContainerFacts, Facts, Remedy

_ENDED = frozenset({"exited", "dead", "restarting"})
_RESTARTED = frozenset({"always", "unless-stopped"})
_BY_HAND = frozenset({0, 137, 143})
_GRACE = 10.0
"""Seconds that Docker gives a process before it kills it, where nothing else is said (docs.docker.com, docker stop)."""


def causes(f: Facts) -> Iterator[Cause]:
    """Out of memory, stopped, paused, asleep, ended, crashed."""
    one = f.one
    if one is None:
        return
    state = one.state
    if state.state == "paused":
        fix = control(f, "unpause", "Let it go on.")
        yield Cause("paused", 0.97, "Somebody paused it.", ("state: paused",), fix)
    yield from _memory(f, one)
    yield from _limits(f, one)
    if state.state in _ENDED or state.restart_count:
        yield from _exit(f, one)
    if state.state == "created" and not one.error:
        fix = control(f, "start", "Start it.")
        yield Cause("not_started", 0.75, "It was made and never started.", ("state: created",), fix)


def _memory(f: Facts, one: ContainerFacts) -> Iterator[Cause]:
    told = said(f, r"\bout of memory\b|OutOfMemoryError|JavaScript heap out of memory|Cannot allocate memory")
    at_once = _killed_at_once(one)
    if not one.oom and not told and not at_once:
        return
    limit = f"{one.memory // 2**20} MiB" if one.memory else "none"
    wanted = f"{max(one.memory * 2 // 2**20, 64)}M" if one.memory else "1G"
    seen = ["the kernel killed it for its memory"] if one.oom else []
    seen += [quoted(told)] if told else []
    seen += ["killed (exit code 137) sooner after its start than a stop takes"] if at_once and not one.oom else []
    fix = call(f, "update_service", f"Raise its memory limit to {wanted}.", limits={"memory": wanted})
    sure = 0.97 if one.oom else 0.8 if told else 0.75
    yield Cause("oom_killed", sure, f"It ran out of memory (limit {limit}).", (*seen, f"memory limit: {limit}"), fix)


def _killed_at_once(one: ContainerFacts) -> bool:
    """Whether it has a memory limit and was killed before anybody can have stopped it.

    An engine on version 1 of the control groups misses that memory ran out where it does in the first moments: it
    begins to listen for it after the start (containerd, cgroup1 ``memory.oom_control``). A stop waits for its grace.
    """
    if one.state.exit_code != 137 or not one.memory or one.state.state not in _ENDED:
        return False
    begun, ended = whole_seconds(one.state.started_at), whole_seconds(one.finished_at)
    return begun is not None and ended is not None and 0 <= ended - begun < _GRACE / 2


def _limits(f: Facts, one: ContainerFacts) -> Iterator[Cause]:
    found = said(
        # A lock that another holds gives the same words as a process that cannot be made.
        f,
        r"can't fork|cannot fork|^(?!.*lock).*Resource temporarily unavailable|"
        r"unable to create (?:new )?(?:native )?thread",
    )
    if found:
        limit = str(one.pids) if one.pids > 0 else "the host's"
        more = str(max(one.pids * 4, 200))
        fix = call(f, "update_service", f"Raise its limit of processes to {more}.", limits={"pids": more})
        seen: tuple[str, ...] = (quoted(found), f"limit of processes: {limit}")
        yield Cause("pids_limit", 0.93 if one.pids > 0 else 0.6, "It may start no more processes.", seen, fix)
    found = said(f, r"too many open files|EMFILE|No file descriptors available")
    if found:
        fix = repair(f, "Let it open more files (`ulimits: nofile`).", "more_files")
        yield Cause("file_limit", 0.9, "It may open no more files.", (quoted(found),), fix)
    found = said(f, r"inotify.{0,40}(?:limit|watches)|ENOSPC: System limit for number of file watchers")
    if found:
        fix = Remedy("Raise fs.inotify.max_user_watches on the host (sysctl), and keep it in /etc/sysctl.d.")
        yield Cause("watch_limit", 0.9, "The host allows no more watches of files.", (quoted(found),), fix)


def _exit(f: Facts, one: ContainerFacts) -> Iterator[Cause]:
    state, code = one.state, one.state.exit_code
    stays_down = state.state == "exited"
    if f.lazy and stays_down:
        fix = Remedy("Nothing: open its page and it starts. To keep it up, turn lazy loading off.")
        seen: tuple[str, ...] = ("it is started on demand", f"state: {state.state}")
        yield Cause("asleep", 0.95, "It sleeps until somebody opens it; that is meant.", seen, fix)
    starved = one.oom or _killed_at_once(one)
    if stays_down and code in _BY_HAND and one.restart in _RESTARTED and not starved:
        # The engine starts such a container again unless somebody stopped it (docs.docker.com, restart policies).
        seen = (f"exit code {code}", f"restart policy {one.restart}, which only a stop by hand overrides")
        fix = control(f, "start", "Start it again.")
        yield Cause("stopped_by_person", 0.9, "Somebody stopped it.", seen, fix)
    elif stays_down and code in (137, 143) and not starved:
        fix = control(f, "start", "Start it again.")
        yield Cause("stopped_by_person", 0.7, "Somebody or something stopped it.", (f"exit code {code}",), fix)
    elif stays_down and code == 0:
        fix = control(f, "start", "Start it again; set restart to unless-stopped where it should stay up.")
        yield Cause("ended_normally", 0.6, "It ended by itself, without an error.", ("exit code 0",), fix)
    if code == 127:
        fix = own_command(f)
        found = said(f, r"not found")
        seen = ("exit code 127: command not found", *([quoted(found)] if found else []))
        yield Cause("command_not_found", 0.92, "A command that it is to run is not in the image.", seen, fix)
    if code == 126:
        fix = Remedy("Make the file executable (`chmod +x`), or correct the command.")
        yield Cause("not_executable", 0.9, "Its command may not be executed.", ("exit code 126",), fix)
    if code in (132, 134, 136, 139):
        signal = {132: "SIGILL", 134: "SIGABRT", 136: "SIGFPE", 139: "SIGSEGV"}[code]
        title = "It uses instructions that this processor lacks." if code == 132 else f"It crashed ({signal})."
        fix = call(f, "update_service", "Take another version of the image.", tag="TAG")
        yield Cause("crashed_hard", 0.75, title, (f"exit code {code}: {signal}",), fix)
    yield from _crash(f, one)


def _crash(f: Facts, one: ContainerFacts) -> Iterator[Cause]:
    code = one.state.exit_code
    looping = one.restart not in ("", "no") and one.state.restart_count > 0
    if not looping and code in (None, 0, 137, 143):
        return
    last = next((line for line in reversed(f.logs) if re.search(r"error|fatal|panic|exception|fail", line, re.I)), "")
    last = last or (f.logs[-1] if f.logs else "")
    seen = [f"exit code {code}", f"restarted {one.state.restart_count} times"]
    seen += [f"log (untrusted data): {last[:240]}"] if last else ["it logged nothing"]
    fix = Remedy(
        "Read its log around the last start.", "read_logs", {"services": [f"{f.stack}/{f.service}"], "tail": 100}
    )
    title = "It crashes at each start." if looping else f"It ended with exit code {code}."
    yield Cause("crash_loop" if looping else "crashed", 0.4, title, tuple(seen), fix)
