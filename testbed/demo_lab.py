"""The demo's lab: where it is, how it is set up, and what the person in the story does."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from pathlib import Path
from typing import Any

from testbed.acme import AcmeCa, start_acme_ca
from testbed.definitions import definition, provide
from testbed.docker_engine import Scratch, docker, free_port
from testbed.images import stand_in

DOMAIN = "lab.test"
COMMAND = [sys.executable, "-m", "homelab_mcp"]


class Failed(Exception):
    """A step of the demo was not true."""


def say(text: str, colour: str = "") -> None:
    """Print, in colour at a terminal."""
    print(f"\033[{colour}m{text}\033[0m" if colour and sys.stdout.isatty() else text, flush=True)


def say_diff(diff: str) -> None:
    """Print a diff, what comes and what goes in colour."""
    for line in diff.splitlines():
        say(line, {"+": "32", "-": "31", "@": "36"}.get(line[:1], ""))


def step(title: str) -> None:
    """Print a step's title."""
    say(f"\n== {title}", "1;36")


class DemoLab:
    """A lab in a throw-away folder, on loopback ports, with names no other lab on this engine has."""

    def __init__(self, folder: str, scratch: Scratch | None) -> None:
        self.root = Path(folder) / "stacks"
        self.folder = Path(folder)
        self.scratch = scratch
        # Stack and container names are shared by all labs of an engine.
        self.suffix = f"-{scratch.run_id}" if scratch and _names_taken() else ""
        self.http_port, self.https_port = (free_port(), free_port()) if scratch else (8080, 8443)
        self.pin_file = self.folder / "pin"
        self.ca: AcmeCa | None = None
        self.root_certificate = self.folder / "ca-root.pem"

    def stack(self, name: str) -> str:
        """The stack's name in this lab."""
        return f"{name}{self.suffix}"

    def service(self, name: str) -> str:
        """The service's name in this lab."""
        return f"{name}{self.suffix}"

    @property
    def environment(self) -> dict[str, str]:
        """What the command and the server get to know of this machine."""
        kept = ("PATH", "HOME", "USER", "LANG", "TERM", "DOCKER_HOST")
        found = {name: os.environ[name] for name in kept if name in os.environ}
        found["HOMELAB_ROOT"] = str(self.root)
        found["HOMELAB_KEY_FILE"] = str(self.folder / "lab.key")
        if self.scratch is None:
            found["HOMELAB_FILES_ONLY"] = "1"
        return found

    def prepare_images(self) -> None:
        """Have every image on the engine: the real one where it is, else Traefik's real binary and stand-ins."""
        made = provide(definition(name) for name in ("traefik", "authelia", "uptime-kuma", "whoami"))
        whoami = definition("whoami").container.image.repository
        stand_in(f"{whoami}:broken", service="whoami", variant="crash_loop")
        real = [image.reference for image in made if not image.is_stand_in]
        instead = [image.reference for image in made if image.is_stand_in]
        say(f"  real: {', '.join(real)}")
        if instead:
            say(f"  stand-ins (the image is not on this machine): {', '.join(instead)}")

    def set_up(self) -> None:
        """``homelab-mcp init``, and the certificate authority that stands for Let's Encrypt."""
        self.pin_file.write_text(f"{secrets.randbelow(10**8):08d}\n", encoding="utf-8")
        self.pin_file.chmod(0o600)
        options = ["--domain", DOMAIN, "--bind-address", "127.0.0.1", "--pin-file", str(self.pin_file), "--json"]
        options += ["--http-port", str(self.http_port), "--https-port", str(self.https_port)]
        options += ["--media-dir", str(self.folder / "media"), "--downloads-dir", str(self.folder / "downloads")]
        options += ["--acme-challenge", "tls", "--email", "person@example.org"]
        if self.scratch is not None:
            network = self.scratch.network("routes")
            self.ca = start_acme_ca(self.scratch, network, self.folder)
            self.root_certificate.write_text(self.ca.root_pem, encoding="utf-8")
            options += ["--acme-ca-server", self.ca.directory_url, "--acme-ca-certificate", str(self.ca.api_ca)]
            options += ["--root-certificate", str(self.root_certificate)]
            options += ["--route-network", network, "--internal-network", self.scratch.network("internal")]
            options += ["--media-network", self.scratch.network("media")]
            for name in ("core", "monitoring", "utilities"):
                self.scratch.claim_project(self.stack(name))
        report = cli(self, "init", *options)
        say(f"  homelab-mcp init: made {', '.join(report['made'])}")

    def add_by_hand(self, service: str, *, stack: str = "", show: bool = False) -> None:
        """What a person does at the terminal: add, read the diff, PIN, apply."""
        arguments = ["add", service, "--stack", stack or self.stack("core"), "--json", "--plan-only"]
        if self.suffix:
            arguments += ["--name", self.service(service)]
        plan = cli(self, *arguments, allowed=(3,))
        say(f"  {plan['summary']}: risk {plan['risk']} ({' '.join(plan.get('reasons', []))})")
        if show:
            say_diff(plan["diff"])
        done = self.approve_and_apply(plan["plan_id"])
        for seen in done.get("evidence", []):
            say(f"    {'ok  ' if seen['ok'] else 'FAIL'} {seen['what']}")

    def approve_and_apply(self, plan_id: str) -> dict[str, Any]:
        """The person's yes with the PIN, and the apply; its view at the end."""
        done: dict[str, Any] = cli(
            self, "approve", plan_id, "--apply", "--pin-file", str(self.pin_file), "--json", timeout=280
        )
        if done["state"] != "done":
            raise Failed(f"the plan ended as {done['state']}: {done}")
        return done

    def tear_down(self) -> None:
        """Nothing is left: the scratch run removes containers and networks, the folder goes with its files."""
        say("\nCleaning up.")

    def report_kept(self) -> None:
        """Say where things are and how to be rid of them."""
        say(f"\nKept. Lab: {self.root}   PIN: {self.pin_file}")
        key = self.environment["HOMELAB_KEY_FILE"]
        say(
            f"Look:    HOMELAB_KEY_FILE={key} {Path(sys.executable).with_name('homelab-mcp')} --root {self.root} status"
        )
        say(f"Browse:  https://uptime-kuma.{DOMAIN}:{self.https_port} (resolve it to 127.0.0.1)")
        label = self.scratch.run_id if self.scratch else ""
        say(
            "Remove:  for s in core monitoring utilities; do docker compose -p $s"
            f"{self.suffix} down; done; docker rm -f $(docker ps -aq --filter label=homelab.testbed={label}); "
            f"docker network prune --filter label=homelab.testbed={label}; rm -r {self.folder}"
        )


def cli(lab: DemoLab, *arguments: str, allowed: tuple[int, ...] = (0,), timeout: float = 120) -> dict[str, Any]:
    """Run ``homelab-mcp`` as a person would; its JSON answer. Raises Failed for another exit code than allowed."""
    done = subprocess.run(
        [*COMMAND, *arguments], env=lab.environment, capture_output=True, text=True, timeout=timeout, check=False
    )
    if done.returncode not in allowed:
        raise Failed(f"homelab-mcp {' '.join(arguments[:3])} exited {done.returncode}: {done.stdout}{done.stderr}")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def _names_taken() -> bool:
    names = docker("ps", "-a", "--format", '{{.Names}} {{.Label "com.docker.compose.project"}}').split()
    return bool({"traefik", "authelia", "uptime-kuma", "whoami", "core", "monitoring", "utilities"} & set(names))
