"""One container's own settings changed in place: image tag, limits, variables, health check, copies."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from homelab_mcp.core import env_file
from homelab_mcp.core.io_limits import UNKNOWN, check_io, class_weight, set_io
from homelab_mcp.core.operations import volume_edit
from homelab_mcp.core.operations.change_request import Limits
from homelab_mcp.core.redact import is_public_name, is_secret_name
from homelab_mcp.core.resources import Host, deploy_of, fitted, size_of, size_text
from homelab_mcp.core.service_edit import ServiceEdit
from homelab_mcp.model.definition import ResourceClass
from homelab_mcp.model.errors import InvalidInput

_LIMITS = "deploy.resources.limits"
_RESERVED = "deploy.resources.reservations"
_OLD_KEYS = {"memory": "mem_limit", "cpus": "cpus", "pids": "pids_limit"}
"""The same limits as Compose's older keys; a file that has one keeps to it, as both at once are refused."""

_ONE_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::?[-?][^}]*)?\}|\$([A-Za-z_][A-Za-z0-9_]*)")


@dataclass(slots=True)
class Aside:
    """What changes beside the service: variables of ``.env`` (None: taken out), and notes."""

    env: dict[str, str | None] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def image_parts(image: str) -> tuple[str, str]:
    """(repository, tag) of a reference; the digest and, where there is none, the tag are left out."""
    name, _, tag = image.partition("@")[0].rpartition(":")
    # "$" last: a variable's default (${TAG:-1}) holds a colon as well.
    whole = image.partition("@")[0]
    variable = re.search(r":(\$\{[^}]*\}|\$[A-Za-z_]\w*)$", whole)
    if variable:
        return whole[: variable.start()], variable[1]
    return (name, tag) if name and "/" not in tag and "$" not in tag else (whole, "")


def retag(edit: ServiceEdit, tag: str, aside: Aside, env: Mapping[str, str]) -> str:
    """Another tag of the same image, where it is written: in the file, or in the variable that the file names.

    Returns the tag from before. Raises InvalidInput where there is no image.
    """
    image = str(edit.get("image") or "")
    if not image:
        raise InvalidInput(f"{edit.service} is built, so that it has no tag.", code="no_image", hint="Edit its build.")
    repository, old = image_parts(image)
    variable = _ONE_VARIABLE.fullmatch(old)
    if variable:
        name = variable[1] or variable[2]
        aside.env[name] = tag
        aside.notes.append(f"The tag is {name} in .env.")
        return env.get(name, old)
    edit.set("image", f"{repository}:{tag}")
    if "@" in image:
        aside.notes.append("The digest goes, as it belonged to the former image.")
    return old or "latest"


def limit(edit: ServiceEdit, limits: Limits, host: Host | None) -> None:
    """Set limits, in the older keys where the file has those, and lower a reservation that would be above.

    Raises:
        InvalidInput: more than the host has (``limit_too_high``), or rates that are of no disk (``io_device``).
    """
    wanted = {k: v for k, v in (("memory", limits.memory), ("cpus", limits.cpus), ("pids", limits.pids)) if v}
    if host and limits.cpus and host.cpus and float(limits.cpus) > host.cpus:
        raise _too_high(f"{limits.cpus} processors", f"{host.cpus}")
    if host and limits.memory and host.memory and size_of(limits.memory) > host.memory:
        raise _too_high(f"{limits.memory} of memory", size_text(host.memory))
    for name, value in wanted.items():
        old = _OLD_KEYS[name]
        if edit.get(old) is not None and edit.get(f"{_LIMITS}.{name}") is None:
            edit.set(old, float(value) if name == "cpus" else value)
        else:
            edit.set(f"{_LIMITS}.{name}", value)
    reserved = edit.get(f"{_RESERVED}.memory")
    if limits.memory and reserved and "$" not in str(reserved) and size_of(str(reserved)) > size_of(limits.memory):
        edit.set(f"{_RESERVED}.memory", limits.memory)
    reserved = edit.get(f"{_RESERVED}.cpus")
    if limits.cpus and reserved and "$" not in str(reserved) and float(reserved) > float(limits.cpus):
        edit.set(f"{_RESERVED}.cpus", limits.cpus)
    check_io(limits.io_device, limits.rates)
    set_io(edit, limits.io_weight, limits.io_device, limits.rates)


def classify(edit: ServiceEdit, kind: ResourceClass, host: Host | None) -> list[str]:
    """The limits and reservations of a class, as the host allows; notes."""
    deploy, changed = fitted(deploy_of(kind), host)
    for old in (*_OLD_KEYS.values(), "mem_reservation", "memswap_limit"):
        edit.remove(old)
    for part, values in deploy["resources"].items():
        for name, value in values.items():
            edit.set(f"deploy.resources.{part}.{name}", value)
    notes = [f"Class {kind} is scaled to what this host has: {', '.join(changed)}."] if changed else []
    return notes + class_weight(edit, kind, host.io if host else UNKNOWN)


def set_variables(
    edit: ServiceEdit, values: Mapping[str, str], unset: Sequence[str], env: Mapping[str, str], aside: Aside
) -> None:
    """Give the container variables: in ``.env`` where the file refers to it, in the service where it does not.

    Raises:
        InvalidInput: a secret's name (``secret_in_argument``), one asked for twice, or one that is not there.
    """
    if twice := sorted(set(values) & set(unset)):
        raise InvalidInput(f"{', '.join(twice)} is both set and unset.", hint="Name each variable once.")
    secret = sorted(n for n in values if is_secret_name(n) and not is_public_name(n))
    if secret:
        raise InvalidInput(
            f"{', '.join(secret)} looks like a secret, which belongs in .env and not in a request.",
            hint="Use set_env with generate, or let the person run `homelab-mcp env set STACK NAME`.",
            code="secret_in_argument",
        )
    there = edit.entries("environment")
    for name, value in values.items():
        env_file.check_value(name, value)
        written = there.get(name)
        variable = _ONE_VARIABLE.fullmatch(written) if written else None
        if variable or (name in there and written is None):
            key = (variable[1] or variable[2]) if variable else name
            if env.get(key) != value:
                aside.env[key] = value
        else:
            edit.set_entry("environment", name, value.replace("$", "$$"))
    for name in unset:
        if name not in there:
            raise InvalidInput(
                f"{edit.service} has no variable {name}.", code="unknown_variable", hint=f"It has {', '.join(there)}."
            )
        edit.remove_entry("environment", name)


def check_health(edit: ServiceEdit, test: str, reason: str) -> None:
    """Another health check: a command line, run by the image's shell; "off" needs a reason; "image" is its own."""
    if test == "off":
        if not reason.strip():
            raise InvalidInput(
                "Going without a health check needs a reason.", code="reason_needed", hint="Give 'health_reason'."
            )
        edit.set("healthcheck", {"disable": True})
        edit.set_entry("labels", "homelab.health.reason", " ".join(reason.split()).replace("$", "$$"))
        return
    edit.remove_entry("labels", "homelab.health.reason")
    if test == "image":
        edit.remove("healthcheck")
        return
    edit.remove("healthcheck.disable")
    timing = {"interval": "30s", "timeout": "10s", "retries": 3, "start_period": "30s"}
    edit.set("healthcheck.test", ["CMD-SHELL", test.replace("$", "$$")])
    for name, value in timing.items():
        if edit.get(f"healthcheck.{name}") is None:
            edit.set(f"healthcheck.{name}", value)


def copies(edit: ServiceEdit, count: int) -> None:
    """Run several containers of a service, where nothing of it can be there only once.

    Raises:
        InvalidInput: why it can have one only (``not_scalable``).
    """
    why = []
    if count > 1:
        if edit.get("container_name"):
            why.append("its container has a fixed name")
        if any(_fixed(port) for port in edit.items("ports")):
            why.append("it publishes ports on the host")
        if str(edit.get("network_mode") or "").partition(":")[0] in {"host", "service", "container"}:
            why.append("it lives in another's network")
        if kept := [v for v in edit.items("volumes") if volume_edit.writes(v)]:
            why.append(f"several copies would write the same data ({volume_edit.target_of(kept[0])})")
    if why:
        raise InvalidInput(
            f"{edit.service} cannot run {count} times: {'; '.join(why)}.",
            code="not_scalable",
            hint="Services that keep data or a name run once; give it more with 'limits'.",
        )
    edit.set("deploy.replicas", count)


def _too_high(wanted: str, there: str) -> InvalidInput:
    return InvalidInput(f"{wanted} is more than the host has ({there}).", code="limit_too_high", hint="Ask for less.")


def _fixed(port: object) -> bool:
    if isinstance(port, Mapping):
        return bool(port.get("published"))
    return ":" in str(port)
