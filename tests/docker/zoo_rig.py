"""The zoo's lab: every broken service of ``tests/zoo`` in a stack of its own, behind a real Traefik."""

from __future__ import annotations

import datetime
import re
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from homelab_mcp.bootstrap import LocalLab, open_lab
from homelab_mcp.model.plan import Plan, PlanState, PlanStatus, Requester
from homelab_mcp.workflow.assembly import applier, approvals
from homelab_mcp.workflow.init_lab import init_lab
from homelab_mcp.workflow.proposals import env_changes, propose_rollback, propose_set_env
from homelab_mcp.workflow.propose_changes import (
    propose_connect_services,
    propose_fix_permissions,
    propose_update_service,
)
from homelab_mcp.workflow.propose_control import propose_control
from homelab_mcp.workflow.verifier import Patience
from testbed import LocalImage, Scratch, free_port
from testbed.docker_engine import docker

FOLDER = Path(__file__).parents[1] / "zoo"
PIN = "27182818"
CLI = Requester("cli")
STAND_INS = ("zoo", "postgres", "authelia", "gluetun", "home-assistant")
QUICK = Patience(poll=0.3, stable=2)
"""A stand-in that stays up for two seconds does not fall later."""


@dataclass
class Exhibit:
    """One broken service: its folder's name and its task, placeholders filled in."""

    name: str
    stack: str
    task: dict[str, Any]
    compose: str
    causes: list[dict[str, Any]] = field(default_factory=list)

    @property
    def service(self) -> str:
        """The service that is asked about."""
        return str(self.task["service"])


class Zoo:
    """A lab with every exhibit, started; ``traefik`` is the image of the real one."""

    def __init__(self, folder: Path, scratch: Scratch, stand_in: Callable[..., LocalImage], traefik: str) -> None:
        self.run = scratch.run_id
        self.troubles: list[str] = []
        self.root = folder / "stacks"
        self.folder = folder
        for name in STAND_INS:
            stand_in(f"homelab-tests/{name}:1", ports=[80])
        self.taken = socket.socket()
        self.taken.bind(("127.0.0.1", 0))
        self.taken.listen()
        self.https = free_port()
        self.domain = f"z{self.run}.test"
        self.words = {
            "RUN": self.run,
            "NET": _wide_network(scratch),
            "NET2": scratch.network("apart"),
            "IMAGE": "homelab-tests/zoo:1",
            "IMAGES": "homelab-tests",
            "DOMAIN": self.domain,
            "TAKEN": str(self.taken.getsockname()[1]),
            "FREE": str(free_port()),
        }
        self.authority = Authority(folder)
        init_lab(open_lab(str(self.root), files_only=True), self._settings(), PIN)
        self.exhibits = {e.name: e for e in self._read(scratch)}
        self._edge(scratch, traefik)

    def lab(self) -> LocalLab:
        """The lab as a fresh process sees it."""
        return open_lab(str(self.root))

    def of_phase(self, phase: int) -> list[Exhibit]:
        """The exhibits that are judged together."""
        return [e for e in self.exhibits.values() if e.task.get("phase", 1) == phase]

    def open(self) -> None:
        """Start everything at once, and wait until each is as broken as it gets."""
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(self._set_up, self.exhibits.values()))
        for exhibit in self.exhibits.values():
            if asked := exhibit.task.get("apply"):
                plan = self.plan_of(self.lab(), exhibit, {**asked, "arguments": {**asked["arguments"]}})
                status = self.approve_and_apply(plan)
                if status.state is not PlanState.DONE:
                    self.troubles.append(f"{exhibit.name}: {status.error}")
        for exhibit in self.exhibits.values():
            self.commands(exhibit, "after")
        for exhibit in self.exhibits.values():
            if not self.came_to(exhibit, str(exhibit.task.get("wait", "none"))):
                self.troubles.append(f"{exhibit.name} is {self._inspect(exhibit)}, not {exhibit.task['wait']}")

    def late(self, phase: int) -> None:
        """Break what others need."""
        for exhibit in self.of_phase(phase):
            self.commands(exhibit, "late")

    def plan_of(self, lab: LocalLab, exhibit: Exhibit, call: dict[str, Any]) -> Plan:
        """The plan that a remedy's tool call makes, with what a person fills in."""
        given = dict(call["arguments"])
        for value in (given, given.get("values"), given.get("env_set")):
            if isinstance(value, dict):
                filled = {k: v for k, v in value.items() if isinstance(v, str) and v in exhibit.task.get("fill", {})}
                value.update({k: exhibit.task["fill"][v] for k, v in filled.items()})
        stack, service = given.pop("stack", exhibit.stack), given.pop("service", exhibit.service)
        match call["tool"]:
            case "control_service":
                return propose_control(lab, given["action"], [service], stack, CLI)
            case "update_service":
                return propose_update_service(lab, service, stack, given, CLI)
            case "set_env":
                values = env_changes(lab, given.get("values", {}), given.get("generate", []), [], from_model=False)
                return propose_set_env(lab, stack, values, CLI)
            case "fix_permissions":
                return propose_fix_permissions(lab, service, stack, given.get("owner", ""), CLI)
            case "connect_services":
                return propose_connect_services(lab, given["a"], given["b"], CLI)
            case "rollback":
                return propose_rollback(lab, given["plan_id"], CLI)
        raise AssertionError(f"{exhibit.name}: no plan is made by {call}")

    def approve_and_apply(self, plan: Plan) -> PlanStatus:
        """A person's signed yes, and the apply in this process."""
        lab = self.lab()
        approvals(lab).out_of_band(plan.id, PIN, who="test", approved=True)
        return applier(lab, QUICK).run(plan.id)

    def came_to(self, exhibit: Exhibit, what: str, within: float = 60) -> bool:
        """Whether the service comes to be in that state."""
        end = time.monotonic() + within
        while not self._is(exhibit, what):
            if time.monotonic() > end:
                return False
            time.sleep(0.3)
        return True

    def answers(self, exhibit: Exhibit) -> bool:
        """Whether its first host answers below 400 within a moment."""
        compose = (self.root / exhibit.stack / "compose.yaml").read_text()
        host = re.findall(r"Host\(`([^`]+)`\)", compose)[0]
        end = time.monotonic() + 60
        while time.monotonic() < end:
            if 0 < self.lab().probe.get(host).status < 400:
                return True
            time.sleep(0.3)
        return False

    def _settings(self) -> dict[str, Any]:
        return {
            "domain": self.domain,
            "email": "person@example.org",
            "bind_address": "127.0.0.1",
            "https_port": self.https,
            "http_port": free_port(),
            "route_network": self.words["NET"],
            "internal_network": self.words["NET"],
            "sso_middleware": f"login-{self.run}@docker",
            "acme.root_certificate": str(self.authority.root),
        }

    def _read(self, scratch: Scratch) -> Iterator[Exhibit]:
        for folder in sorted(p for p in FOLDER.iterdir() if (p / "task.yaml").is_file()):
            task = yaml.safe_load(self._filled((folder / "task.yaml").read_text()))
            stack = scratch.claim_project(f"{folder.name}-{self.run}")
            yield Exhibit(folder.name, stack, task, self._filled((folder / "compose.yaml").read_text()))

    def _filled(self, text: str) -> str:
        return re.sub(r"@([A-Z0-9]+)@", lambda m: self.words.get(m[1], m[0]), text)

    def _set_up(self, exhibit: Exhibit) -> None:
        place = self.root / exhibit.stack
        place.mkdir()
        (place / "compose.yaml").write_text(exhibit.compose)
        self.commands(exhibit, "before")
        if exhibit.task.get("up", True):
            # Many of them are refused here: that is the fault.
            subprocess.run(["docker", "compose", "up", "-d"], cwd=place, capture_output=True, check=False, timeout=60)

    def commands(self, exhibit: Exhibit, when: str) -> None:
        """The commands of the task for that moment, in the stack's folder; one that fails is a trouble."""
        for command in exhibit.task.get(when, ()):
            done = subprocess.run(
                ["/bin/sh", "-c", command], cwd=self.root / exhibit.stack, capture_output=True, text=True, timeout=60
            )
            if done.returncode != 0:
                self.troubles.append(f"{exhibit.name}: {command}: {done.stderr[-300:]}")

    def _inspect(self, exhibit: Exhibit) -> str:
        found = docker(
            "ps", "-aq", "--no-trunc",
            "--filter", f"label=com.docker.compose.project={exhibit.stack}",
            "--filter", f"label=com.docker.compose.service={exhibit.service}",
        )  # fmt: skip
        if not found:
            return ""
        form = "{{.State.Status}} {{.RestartCount}} {{if .State.Health}}{{.State.Health.Status}}{{end}}"
        return docker("inspect", "--format", form, found.split()[0])

    def _is(self, exhibit: Exhibit, what: str) -> bool:
        if what == "none":
            return True
        seen = self._inspect(exhibit)
        if what == "steady":
            # A crash loop is seen running as often as not; a count that stays for longer than its pause is no loop.
            time.sleep(2)
            return seen.startswith("running") and seen == self._inspect(exhibit)
        state, _, rest = seen.partition(" ")
        restarts = int(rest.split(" ")[0] or 0) if rest else 0
        if what == "restarted":
            return restarts > 0
        if what == "ended":
            return state in ("created", "exited")
        if what.startswith("log:"):
            said = subprocess.run(
                ["docker", "compose", "logs", exhibit.service],
                cwd=self.root / exhibit.stack, capture_output=True, text=True, timeout=20, check=False,
            )  # fmt: skip
            return what[4:] in said.stdout
        return what in (state, rest.split(" ")[-1] if rest else "")

    def _edge(self, scratch: Scratch, traefik: str) -> None:
        stack = scratch.claim_project(f"edge-{self.run}")
        place = self.root / stack
        place.mkdir()
        self.authority.issue(place / "wild", [self.domain, f"*.{self.domain}"], days=30)
        self.authority.issue(place / "old", ["old.expired.test"], days=-2)
        rows = [{"certFile": f"/edge/{n}.pem", "keyFile": f"/edge/{n}.key"} for n in ("wild", "old")]
        (place / "dynamic.yaml").write_text(yaml.safe_dump({"tls": {"certificates": rows}}))
        command = [
            "--providers.docker=true",
            "--providers.docker.exposedbydefault=false",
            f"--providers.docker.constraints=Label(`homelab.zoo`,`{self.run}`)",
            "--providers.file.filename=/edge/dynamic.yaml",
            "--entrypoints.websecure.address=:443",
        ]
        service = {
            "image": traefik,
            "command": command,
            "ports": [f"127.0.0.1:{self.https}:443"],
            "volumes": ["./:/edge:ro", "/var/run/docker.sock:/var/run/docker.sock"],
        }
        network = {"default": {"name": self.words["NET"], "external": True}}
        (place / "compose.yaml").write_text(yaml.safe_dump({"services": {"traefik": service}, "networks": network}))
        subprocess.run(["docker", "compose", "up", "-d"], cwd=place, capture_output=True, check=True, timeout=60)


def _wide_network(scratch: Scratch) -> str:
    """A network with room for every exhibit, named and labelled as the run's."""
    name = scratch.name("zoo")
    for third in range(0, 256, 4):
        done = subprocess.run(
            ["docker", "network", "create", "--label", f"homelab.testbed={scratch.run_id}",
             "--subnet", f"198.19.{third}.0/24", name],
            capture_output=True, check=False, timeout=30,
        )  # fmt: skip
        if done.returncode == 0:
            return name
    raise AssertionError("no network could be made")


class Authority:
    """A CA of the run's own, and what it issues: also certificates that have ended."""

    def __init__(self, folder: Path) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Zoo CA")])
        certificate = self._built(self._name, self._key.public_key(), 30, [], authority=True)
        self.root = folder / "zoo-root.pem"
        self.root.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def issue(self, place: Path, names: list[str], *, days: int) -> None:
        """``place``.pem and ``place``.key for those names; negative days: it has ended."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
        certificate = self._built(subject, key.public_key(), days, names, authority=False)
        place.with_suffix(".pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        place.with_suffix(".key").write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )

    def _built(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey, days: int, names: list[str], *, authority: bool
    ) -> x509.Certificate:
        now = datetime.datetime.now(datetime.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=10))
            .not_valid_after(now + datetime.timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        )
        if names:
            alternative = x509.SubjectAlternativeName([x509.DNSName(n) for n in names])
            builder = builder.add_extension(alternative, critical=False)
        return builder.sign(self._key, hashes.SHA256())
