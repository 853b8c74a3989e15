"""Opens a client of the Docker API for each form of address."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

from homelab_mcp.adapters.docker_errors import endpoint
from homelab_mcp.adapters.docker_package import load_docker

if TYPE_CHECKING:
    from docker.api import APIClient

ANY_VERSION = "1.24"
"""For a question that every engine answers without a version in its path."""


def connected(base_url: str | None, certificates: str, seconds: float) -> APIClient:
    """A client that has agreed on a version; ``seconds`` is what one answer may take.

    Args:
        base_url: as for ``DockerEngine``.
        certificates: the folder of ca.pem, cert.pem and key.pem; "" without TLS of our own.
        seconds: what one answer may take.
    """
    load_docker()
    address, tls = endpoint(base_url)
    if address.startswith("ssh://"):
        from homelab_mcp.adapters.ssh_transport import ssh_client

        return ssh_client(address, seconds)
    from docker.api import APIClient

    if certificates:
        return _trusting(address, certificates, seconds)
    return APIClient(
        base_url=address,
        version="auto",
        timeout=seconds,  # type: ignore[arg-type]
        tls=tls or False,
    )


def _trusting(address: str, certificates: str, seconds: float) -> APIClient:
    """A client that trusts the folder's CA alone.

    requests would rather take REQUESTS_CA_BUNDLE than the CA it was given, and a proxy that was meant for the web; and
    docker-py's own "auto" asks before it can be told not to.
    """
    from docker.api import APIClient

    def client(version: str) -> APIClient:
        made = APIClient(
            base_url=address,
            version=version,
            timeout=seconds,  # type: ignore[arg-type]
            tls=mutual_tls(certificates),
        )
        made.trust_env = False
        return made

    return client(str(client(ANY_VERSION).version(api_version=False)["ApiVersion"]))


def mutual_tls(folder: str) -> Any:
    """docker-py's settings for a folder as DOCKER_CERT_PATH has it: both ends are checked, and the host's name too."""
    from docker.tls import TLSConfig

    return TLSConfig(client_cert=(f"{folder}/cert.pem", f"{folder}/key.pem"), ca_cert=f"{folder}/ca.pem", verify=True)


def knock(address: str, seconds: float) -> None:
    """Connect once, so that an engine that is not there costs neither a retry nor docker-py's unclosed socket."""
    if address.startswith("unix://"):
        with socket.socket(socket.AF_UNIX) as knock:
            knock.settimeout(seconds)
            knock.connect(address.removeprefix("unix://"))
