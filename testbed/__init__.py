"""The real parts that the demo and the tests share: an engine, a certificate authority, local images.

Nothing in `homelab_mcp` knows of this package, and the package knows nothing of `homelab_mcp`.
"""

from testbed.acme import AcmeCa, start_acme_ca
from testbed.docker_engine import Container, Scratch, TestbedError, free_port, require_docker
from testbed.images import LocalImage, ensure_traefik, stand_in

__all__ = [
    "AcmeCa",
    "Container",
    "LocalImage",
    "Scratch",
    "TestbedError",
    "ensure_traefik",
    "free_port",
    "require_docker",
    "stand_in",
    "start_acme_ca",
]
