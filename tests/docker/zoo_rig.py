"""The zoo's lab: every broken service of ``tests/zoo`` in a stack of its own, behind a real Traefik."""

from __future__ import annotations

import datetime
import socket
import subprocess
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from homelab_mcp.bootstrap import open_lab
from homelab_mcp.model.plan import PlanState
from homelab_mcp.workflow.init_lab import init_lab
from testbed import LocalImage, Scratch, free_port
from tests.docker.zoo_cases import EDGE, Exhibit, case_names, stack_of
from tests.docker.zoo_lab import PIN, ZooLab

STAND_INS = ("zoo", "postgres", "authelia", "gluetun", "home-assistant")


class Zoo(ZooLab):
    """A lab with the cases ``names``, each a service that is broken when it opens.

    ``traefik`` is the image of the real one.
    """

    def __init__(
        self,
        folder: Path,
        scratch: Scratch,
        stand_in: Callable[..., LocalImage],
        traefik: str,
        names: Iterable[str] = (),
    ) -> None:
        self.run = scratch.run_id
        for name in STAND_INS:
            stand_in(f"homelab-tests/{name}:1", ports=[80])
        self.taken = socket.socket()
        self.taken.bind(("127.0.0.1", 0))
        self.taken.listen()
        self.https = free_port()
        self.domain = f"z{self.run}.test"
        words = {
            "RUN": self.run,
            "NET": _wide_network(scratch),
            "NET2": scratch.network("apart"),
            "IMAGE": "homelab-tests/zoo:1",
            "IMAGES": "homelab-tests",
            "DOMAIN": self.domain,
            "TAKEN": str(self.taken.getsockname()[1]),
            "FREE": str(free_port()),
        }
        super().__init__(folder / "stacks", words, names or case_names())
        for exhibit in self.exhibits.values():
            scratch.claim_project(exhibit.stack)
        self.authority = Authority(folder)
        init_lab(open_lab(str(self.root), files_only=True), self._settings(), PIN)
        self._edge(scratch, traefik)

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
                self.troubles.append(f"{exhibit.name} is {self.seen(exhibit)}, not {exhibit.task['wait']}")

    def late(self, phase: int) -> None:
        """Break what others need."""
        for exhibit in self.of_phase(phase):
            self.commands(exhibit, "late")

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

    def _set_up(self, exhibit: Exhibit) -> None:
        place = self.root / exhibit.stack
        place.mkdir()
        (place / "compose.yaml").write_text(exhibit.compose)
        self.commands(exhibit, "before")
        if exhibit.task.get("up", True):
            # Many of them are refused here: that is the fault.
            subprocess.run(["docker", "compose", "up", "-d"], cwd=place, capture_output=True, check=False, timeout=60)

    def _edge(self, scratch: Scratch, traefik: str) -> None:
        stack = scratch.claim_project(stack_of(EDGE, self.run))
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
