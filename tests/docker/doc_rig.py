"""What the tests share that type a page's listings on several machines: the person's shell, her lab, her answers."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from cryptography.x509.oid import ExtendedKeyUsageOID

from homelab_mcp.adapters.tls_issue import authority, general, issue, key_pem, pem
from homelab_mcp.bootstrap import open_lab
from homelab_mcp.workflow.init_lab import init_lab
from testbed import Scratch, free_port
from testbed.images import ensure_traefik
from tests.doc_play import Shell
from tests.docker.lab import PIN

WRITE = (("hosts.yaml? [y/N]", "y"),)
"""She looked at the change of hosts.yaml, and wants it."""

APPROVE = (("Approval PIN", PIN),)
"""She read the plan, and approves."""

SSH_NAME = "nas.lan"
"""The page's name of the other machine, which SSH's configuration knows here too; nothing else does."""


CORE = """services:
  traefik:
    image: TRAEFIK
    command:
      - --providers.file.directory=/dynamic
      - --entrypoints.websecure.address=:443
      - --entrypoints.websecure.http.tls=true
    ports: ["127.0.0.1:PORT:443"]
    volumes: ["./traefik/dynamic:/dynamic:ro"]
    networks: [routes]
networks:
  routes: {name: ROUTES, external: true}
"""
OWN = """tls: {certificates: [{certFile: /dynamic/cert.pem, keyFile: /dynamic/key.pem}]}
http:
  middlewares:
    login: {basicAuth: {users: ["nobody:{SHA}0DPiKuNIrrVmD8IUCuw1hQxNqZc="]}}
"""


def new_lab(root: Path, **values: object) -> Path:
    """A lab of somebody whose domain is the pages'."""
    init_lab(open_lab(str(root), files_only=True), {"domain": "example.org", **values}, PIN)
    return root


def edge_lab(
    folder: Path,
    scratch: Scratch,
    names: Sequence[str],
    *,
    core: str = CORE,
    own: str = OWN,
    put: Callable[[Path], object] = lambda _: None,
) -> Path:
    """A lab whose Traefik runs, with a certificate for these names of an authority that the lab trusts.

    Args:
        folder: of the test; the lab is ``stacks`` in it.
        scratch: the test's run.
        names: of pages that there will be.
        core: Traefik's compose file; TRAEFIK, PORT and ROUTES stand for what is known only here.
        own: a person's file in its dynamic folder, with the log-in.
        put: adds files to its stack's folder before it starts.
    """
    ca, ca_key = authority()
    (folder / "root.pem").write_text(pem(ca))
    port, routes = free_port(), scratch.network("routes")
    root = new_lab(
        folder / "stacks",
        bind_address="127.0.0.1",
        https_port=port,
        route_network=routes,
        internal_network=scratch.network("internal"),
        sso_middleware="login@file",
        **{"acme.challenge": "none", "acme.root_certificate": str(folder / "root.pem")},
    )
    # Several tests of one run may have one each.
    edge = scratch.claim_project(f"edge-{scratch.run_id}-{secrets.token_hex(2)}")
    dynamic = root / edge / "traefik/dynamic"
    dynamic.mkdir(parents=True)
    text = core.replace("TRAEFIK", ensure_traefik("traefik:v3.7.13").reference)
    (root / edge / "compose.yaml").write_text(text.replace("PORT", str(port)).replace("ROUTES", routes))
    put(root / edge)
    made, key = issue(ca, ca_key, "lab", [general(name) for name in names], ExtendedKeyUsageOID.SERVER_AUTH, 30)
    (dynamic / "cert.pem").write_text(pem(made))
    (dynamic / "key.pem").write_text(key_pem(key))
    (dynamic / "own.yml").write_text(own)
    open_lab(str(root)).compose.up(edge, ())
    return root


def shell_of(root: Path, meant: Mapping[str, str], *, programs: Path | None = None, engine: str = "") -> Shell:
    """In an empty home folder, with the command.

    Args:
        root: the lab's folder.
        meant: as Shell has it.
        programs: folder of an ``ssh`` and ``scp`` that know the other machine.
        engine: ``DOCKER_HOST`` of the lab's own machine; its usual one by default.
    """
    home = root.parent / "home"
    home.mkdir(exist_ok=True)
    found = [str(programs)] if programs else []
    env = {
        "PATH": ":".join([*found, str(Path(sys.executable).parent), os.environ["PATH"]]),
        "HOME": str(home),
        "USER": "person",
        "LANG": "C.UTF-8",
        "XDG_CONFIG_HOME": os.environ["XDG_CONFIG_HOME"],
        "HOMELAB_ROOT": str(root),
    }
    if engine := engine or os.environ.get("DOCKER_HOST", ""):
        env["DOCKER_HOST"] = engine
    return Shell(home, env, dict(meant))
