"""``docker stack`` and ``docker service``, on stacks of a lab that say ``engine: swarm``.

Source: https://docs.docker.com/reference/cli/docker/stack/deploy/ and the reference of ``docker service``.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from homelab_mcp.adapters.process import read
from homelab_mcp.adapters.swarm_failure import failure
from homelab_mcp.core.project_name import PROJECT_LABEL
from homelab_mcp.core.redact import safe
from homelab_mcp.core.swarm.render import HASH, NAMESPACE, as_text, hashes, render
from homelab_mcp.model.errors import EngineFailed, EngineUnavailable, InvalidInput

WORK_SECONDS = 120.0
GONE_SECONDS = 60.0
ROLLBACK_SECONDS = 180.0
_POLL = 0.5
_UNDER_WAY = frozenset({"updating", "rollback_started"})


class Stack(Protocol):
    """What is asked of Compose about a stack: its resolved files, its project's name, its secrets."""

    def resolved(self, stack: str) -> dict[str, Any]:
        """As Compose reads it."""
        ...

    def project(self, stack: str) -> str:
        """The stack's name for the engine."""
        ...

    def secrets(self, stack: str) -> list[str]:
        """What nothing may print."""
        ...


class SwarmCli:
    """Does for a stack that Swarm runs what ``ComposeCli`` does for one that Compose runs.

    Args:
        stacks: reads stacks.
        environment: asked for what the docker command gets.
    """

    def __init__(self, stacks: Stack, environment: Callable[[], Mapping[str, str]]) -> None:
        self._stacks = stacks
        self._environment = environment

    def shown(self, stack: str) -> str:
        """What ``up`` hands to ``docker stack deploy``, without any variable's value and with every secret masked.

        Raises InvalidInput (``swarm_cannot``).
        """
        found = self._rendered(stack)
        for service in found["services"].values():
            if service.get("environment"):
                service["environment"] = dict.fromkeys(service["environment"], "***")
        return safe(as_text(found), self._secrets(stack))

    def hashes(self, stack: str) -> dict[str, str]:
        """Service -> the hash that ``up`` labels it with."""
        return hashes(self._rendered(stack))

    def pull(self, stack: str, services: Sequence[str]) -> None:
        """Nothing: each node pulls what it is to run, and an update whose image is not to be had is rolled back."""

    def up(self, stack: str, services: Sequence[str]) -> None:
        """``docker stack deploy``: Swarm changes those services whose form changed, and starts what is missing.

        Images are pinned to the digest that a registry names, where one answers, only where their name changed.

        Raises EngineFailed (``swarm_twice``) where Compose still runs containers of it.
        """
        project = self._stacks.project(stack)
        if self._run(stack, ["ps", "--quiet", "--filter", f"label={PROJECT_LABEL}={project}"]).strip():
            raise EngineFailed(
                f"Compose still runs containers of {stack}, and its file says that Swarm does.",
                hint="Take `engine: swarm` out of the file; `homelab-mcp swarm run` hands the stack over.",
                code="swarm_twice",
            )
        deploy = ["stack", "deploy", "--compose-file", "-", "--resolve-image", "changed", "--with-registry-auth"]
        self._run(stack, [*deploy, project], stdin=as_text(self._rendered(stack)))

    def back(self, stack: str, services: Sequence[str]) -> None:
        """Services become what the files say again: by Swarm's own roll-back where that leads there, else by a deploy.

        A roll-back gives a service its former image by digest and its former settings; a deploy would ask anew which
        image a tag means.
        """
        wanted = self.hashes(stack)
        for name, service in self._services(stack).items():
            then = ((service.get("PreviousSpec") or {}).get("Labels") or {}).get(HASH)
            if _hash(service) != wanted.get(name) and then == wanted.get(name):
                self._run(stack, ["service", "rollback", "--detach", "--quiet", str(service["ID"])])
        until = time.monotonic() + ROLLBACK_SECONDS
        while True:
            now = self._services(stack)
            busy = [n for n, s in now.items() if (s.get("UpdateStatus") or {}).get("State") in _UNDER_WAY]
            settled = {n: _hash(s) for n, s in now.items()}
            if not any(settled.get(n) == wanted[n] for n in busy if n in wanted) or time.monotonic() >= until:
                break
            time.sleep(_POLL)
        if any(settled.get(name) != value for name, value in wanted.items()):
            self.up(stack, services)

    def remove(self, stack: str, services: Sequence[str]) -> None:
        """Remove these services and wait until their containers on this node are gone; never volumes.

        Raises InvalidInput without services.
        """
        if not services:
            raise InvalidInput("No service was named to remove.", hint="Name them; `down` removes a whole stack.")
        there = self._services(stack)
        if mine := [str(there[name]["ID"]) for name in services if name in there]:
            self._run(stack, ["service", "rm", *mine])
        if mine and set(there) <= set(services):
            # The last ones: networks would keep names that Compose may want.
            self._run(stack, ["stack", "rm", self._stacks.project(stack)])
        for ident in mine:
            self._gone(stack, "container", f"label=com.docker.swarm.service.id={ident}")

    def down(self, stack: str) -> None:
        """Remove the stack's services, networks, secrets and configs, and wait until they are gone; never volumes."""
        self._run(stack, ["stack", "rm", self._stacks.project(stack)])
        for kind in ("container", "network"):
            self._gone(stack, kind, f"label={NAMESPACE}={self._stacks.project(stack)}")

    def restart(self, stack: str, services: Sequence[str]) -> None:
        """New tasks for these services, one after the other as their update settings say; without any, of all."""
        there = self._services(stack)
        for name in services or tuple(there):
            self._run(stack, ["service", "update", "--force", "--detach", "--quiet", self._id(stack, there, name)])

    def stop(self, stack: str, services: Sequence[str]) -> None:
        """No task for these services, until they are started; without any, for the whole stack."""
        there = self._services(stack)
        names = [n for n in services or tuple(there) if n in there]
        for name in names:
            if "Replicated" not in (there[name]["Spec"].get("Mode") or {}):
                raise _cannot(f"{name} runs on every node (mode: global) and cannot be stopped without being removed.")
        if names:
            self._run(stack, ["service", "scale", "--detach", *(f"{there[n]['ID']}=0" for n in names)])

    def start(self, stack: str, services: Sequence[str]) -> None:
        """As many tasks again as the files say."""
        self.up(stack, services)

    def recreate(self, stack: str, services: Sequence[str]) -> None:
        """New tasks from the files as they are now, whether or not they changed."""
        before = {name: _hash(service) for name, service in self._services(stack).items()}
        wanted = self.hashes(stack)
        self.up(stack, services)
        # What the deploy changed gets new tasks by that.
        if same := [n for n in services or tuple(wanted) if before.get(n) == wanted.get(n)]:
            self.restart(stack, same)

    def pause(self, stack: str, services: Sequence[str]) -> None:
        """Raises InvalidInput (``swarm_cannot``)."""
        raise _cannot("Swarm pauses no service.")

    def unpause(self, stack: str, services: Sequence[str]) -> None:
        """Raises InvalidInput (``swarm_cannot``)."""
        raise _cannot("Swarm pauses no service.")

    def create(self, stack: str, services: Sequence[str]) -> None:
        """Services as the files say, without a task."""
        self.up(stack, services)
        self.stop(stack, services)

    def _rendered(self, stack: str) -> dict[str, Any]:
        return render(self._stacks.resolved(stack), _digest)

    def _secrets(self, stack: str) -> list[str]:
        return [form for secret in self._stacks.secrets(stack) for form in _forms(secret)]

    def _services(self, stack: str) -> dict[str, dict[str, Any]]:
        """By the compose file's names, what Swarm has of the stack's services."""
        project = self._stacks.project(stack)
        ids = self._run(stack, ["service", "ls", "--quiet", "--filter", f"label={NAMESPACE}={project}"]).split()
        if not ids:
            return {}
        found = json.loads(self._run(stack, ["service", "inspect", *ids]))
        return {str(s["Spec"]["Name"]).removeprefix(f"{project}_"): s for s in found}

    def _id(self, stack: str, there: Mapping[str, Mapping[str, Any]], name: str) -> str:
        if name not in there:
            raise EngineFailed(
                f"Swarm has no service {name} of {stack}.",
                hint="`homelab-mcp start` deploys the stack.",
                code="missing",
            )
        return str(there[name]["ID"])

    def _gone(self, stack: str, kind: str, wanted: str) -> None:
        command = ["ps", "--all", "--quiet"] if kind == "container" else ["network", "ls", "--quiet"]
        until = time.monotonic() + GONE_SECONDS
        while self._run(stack, [*command, "--filter", wanted]).strip():
            if time.monotonic() >= until:
                raise EngineFailed(
                    f"A {kind} of {stack} is still there after {GONE_SECONDS:.0f} seconds.",
                    hint=f"Look with `docker {' '.join(command[:2])} --filter {wanted}`.",
                    code="swarm_not_gone",
                )
            time.sleep(_POLL)

    def _run(self, stack: str, arguments: Sequence[str], *, stdin: str = "") -> str:
        program = shutil.which("docker")
        if program is None:
            raise EngineUnavailable(
                "The docker command is not installed.", hint="Install docker-cli.", code="compose_missing"
            )
        done, out = read([program, *arguments], env=self._environment(), timeout=WORK_SECONDS, stdin=stdin.encode())
        if done.code == 0 and not done.timed_out:
            return out.decode("utf-8", "replace")
        said = safe(f"{out.decode('utf-8', 'replace')}\n{done.output}", self._secrets(stack))
        raise failure(arguments, done, said, WORK_SECONDS)


def _forms(secret: str) -> tuple[str, ...]:
    """A secret as it stands in the text: ``$`` doubled for Compose, and JSON's own escapes."""
    doubled = secret.replace("$", "$$")
    return tuple({secret, doubled, json.dumps(secret)[1:-1], json.dumps(doubled)[1:-1]})


def _hash(service: Mapping[str, Any]) -> str:
    return str((service["Spec"].get("Labels") or {}).get(HASH, ""))


def _digest(path: str) -> str:
    """SHA-256 of a secret's or config's file. Raises InvalidInput (``swarm_cannot``) where it cannot be read."""
    try:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()
    except OSError as error:
        raise InvalidInput(
            f"{Path(path).name} is to be a secret or config of Swarm's and cannot be read: {error.strerror}.",
            hint="Make the file, or take it out of the compose file.",
            code="swarm_cannot",
        ) from error


def _cannot(what: str) -> InvalidInput:
    return InvalidInput(what, hint="Stop it instead, or run the stack by Compose.", code="swarm_cannot")
