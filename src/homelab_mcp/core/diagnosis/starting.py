"""What keeps a container from being made or started: the engine says it in so many words."""

from __future__ import annotations

import re
from collections.abc import Iterator

from homelab_mcp.core.diagnosis.clues import call, control, own_command, quoted, repair, said
from homelab_mcp.model.diagnosis import Cause, Facts, Remedy
from homelab_mcp.model.image import IMAGES_FOR


def causes(f: Facts) -> Iterator[Cause]:
    """Image, networks, volumes, ports, processor, command, user, devices."""
    yield from _missing_parts(f)
    yield from _ports(f)
    yield from _architecture(f)
    yield from _refused(f)
    yield from _not_made(f)


def _missing_parts(f: Facts) -> Iterator[Cause]:
    absent = [n for n in f.wanted_networks if n not in f.networks]
    if absent and f.containers is not None and not f.runs:
        told = f"the engine has no network {', '.join(absent)}"
        fix = repair(f, f"Make the network {absent[0]} and start the service on it.", f"make_network:{absent[0]}")
        yield Cause("network_missing", 0.95, f"It is to join {absent[0]}, a network that is not there.", (told,), fix)
    volumes = [v for v in f.wanted_volumes if f.volumes is not None and v not in f.volumes]
    if volumes and not f.runs:
        fix = Remedy(
            f"A person makes it (`docker volume create {volumes[0]}`) or takes `external` out of the file; "
            "look first whether the data is under another name."
        )
        told = f"the engine has no volume {', '.join(volumes)}"
        yield Cause("volume_missing", 0.95, f"Its volume {volumes[0]} is not there.", (told,), fix)
    if f.image_here is False and f.containers is not None and not f.containers and f.image:
        fix = control(f, "recreate", "Pull it and start it; if no registry has it, update_service takes another tag.")
        seen: tuple[str, ...] = (f"the engine has no image {f.image}", "the service has no container")
        if f.tags:
            # Newest first, as the engine lists them: most often the one that ran before.
            told = f"Take {f.tags[0]} again, which is on the engine; or recreate it, which pulls what its file names."
            fix = call(f, "update_service", told, tag=f.tags[0])
            seen = (*seen, f"it has {', '.join(f.tags[:4])} of it")
        yield Cause("image_missing", 0.7, f"The image {f.image} was not pulled, or cannot be.", seen, fix)


def _ports(f: Facts) -> Iterator[Cause]:
    found = said(f, r"(?:port is already allocated|bind: address already in use|Bind for \S+ failed)")
    one = f.one
    if one and one.error and found and found.string == one.error:
        port = re.search(r":(\d{1,5})(?:: bind| failed|->)", one.error)
        number = int(port[1]) if port else 0
        who = f.takers.get(number, "another program")
        fix = _unpublish(f, number, who)
        title = f"Port {number or ''} of the host is taken by {who}."
        yield Cause("port_taken", 0.96, title, (f"engine: {one.error[:240]}",), fix)
    elif f.takers and f.containers is not None and not f.runs:
        number, who = next(iter(f.takers.items()))
        fix = _unpublish(f, number, who)
        yield Cause("port_taken", 0.85, f"Port {number} of the host is taken by {who}.", (f"{who} has {number}",), fix)
    elif found and "Bind for" not in found[0] and not (one and one.error):
        fix = Remedy("Two programs in one container or one network want the same port; change one of them.")
        yield Cause("port_in_use_inside", 0.7, "It cannot listen: its port is in use.", (quoted(found),), fix)


def _unpublish(f: Facts, port: int, who: str) -> Remedy:
    if not port or f.route is None:
        # Without a route nobody would reach it any more, and Traefik itself has none.
        return Remedy(f"Stop {who}, or publish another port in the stack's file; behind Traefik no port is needed.")
    what = f"Publish {port} no more: behind Traefik no port is needed. Or stop {who}, or publish another one by hand."
    return repair(f, what, f"unpublish:{port}")


def _architecture(f: Facts) -> Iterator[Cause]:
    one = f.one
    host = IMAGES_FOR.get(f.host_architecture, f.host_architecture)
    other = bool(one and one.image_architecture and host and one.image_architecture != host)
    found = said(f, r"exec format error|no matching manifest for")
    if not found and not (other and not f.runs):
        return
    seen = [quoted(found)] if found else []
    if other and one:
        seen.append(f"the image is for {one.image_architecture}, the host is {host}")
    fix = call(f, "update_service", f"Take a tag that is made for {host or 'this processor'}.", tag="TAG")
    if one and not other and f.paths and one.image_architecture:
        # The image fits, so what does not comes from a mount, and no plan brings another build of that.
        mounted = ", ".join(p.path for p in f.paths[:3])
        fix = Remedy(f"Put a build for {host} where it is mounted from ({mounted}); the image itself fits.")
    sure = 0.96 if found else 0.8
    yield Cause("wrong_architecture", sure, "The image is made for another processor.", tuple(seen), fix)


_REFUSALS = (
    (
        r"unable to find (?:user|group) (\S+?)[:,]|no matching entries in (?:passwd|group) file",
        "user_unknown",
        "Its `user` is not in the image.",
        "Give a number (uid:gid) as `user` in the stack's file, or leave it out.",
    ),
    (
        r"error gathering device information|error adding device|no such file or directory: .*?/dev/",
        "device_missing",
        "A device of the host that it is given is not there.",
        "Plug it in or load its driver, or take the device out of the stack's file.",
    ),
    (
        r"unknown or invalid runtime name|could not select device driver|unknown runtime",
        "runtime_missing",
        "The engine lacks the runtime that it asks for (a graphics processor's).",
        "Install the vendor's container toolkit, or set gpu to off with update_service.",
    ),
    (
        r"not a directory.*Are you trying to mount a directory|Are you trying to mount a directory onto a file",
        "mount_is_folder",
        "A folder is mounted where the image has a file (or the other way round).",
        "Remove the folder that Docker made in its place, put the file there, then start the service again.",
    ),
    (
        r"executable file not found in \$PATH|exec: \\?\".*?\\?\": stat .*?: no such file",
        "command_not_found",
        "Its command is not in the image.",
        "Correct `command` or `entrypoint` in the stack's file, or take it out: the image has its own.",
    ),
    (
        r"exec: .*permission denied|exec .*: permission denied",
        "not_executable",
        "Its command may not be executed.",
        "Make the file executable (`chmod +x`) where it is mounted, or correct the command.",
    ),
    (
        r"network \S+ not found|could not find (?:a )?network",
        "network_missing",
        "A network that it was made with is gone.",
        "Recreate the service: the plan joins it to the network of that name that is there now.",
    ),
)


def _refused(f: Facts) -> Iterator[Cause]:
    one = f.one
    if one is None or not one.error:
        return
    for pattern, identity, title, fix in _REFUSALS:
        if re.search(pattern, one.error, re.IGNORECASE):
            remedy = _settled(f, identity, one.error) or Remedy(fix)
            yield Cause(identity, 0.95, title, (f"engine: {one.error[:300]}",), remedy)


def _settled(f: Facts, identity: str, error: str) -> Remedy | None:
    """The plan that settles a refusal, where one can."""
    match identity:
        case "user_unknown" if f.body.get("user") is not None:
            what = "Take `user` out of the stack's file: the image has its own. Or give a number (uid:gid) by hand."
            return repair(f, what, "own_user")
        case "command_not_found":
            return own_command(f)
        case "device_missing":
            device = next((d for d in _devices(f) if d in error), "")
            what = f"Go without {device} until it is plugged in again. Or correct its path by hand."
            return repair(f, what, f"no_device:{device}") if device else None
        case "network_missing":
            what = "Make its container anew: it joins the network of that name that is there now."
            return control(f, "recreate", what)
    return None


def _devices(f: Facts) -> list[str]:
    rows = f.body.get("devices")
    found = (r.get("source") if isinstance(r, dict) else str(r).partition(":")[0] for r in rows or ())
    return [str(d) for d in found if d]


def _not_made(f: Facts) -> Iterator[Cause]:
    if f.containers is None or f.containers:
        return
    fix = control(f, "recreate", "Start it as its file says.")
    yield Cause("never_started", 0.4, "It has no container: it was never started, or was taken down.", (), fix)
