"""Docker's own contexts, read to be taken over into ``hosts.yaml``."""

from __future__ import annotations

import warnings
from pathlib import Path

from pydantic import ValidationError

from homelab_mcp.adapters.docker_package import load_docker
from homelab_mcp.model.hosts import DockerHost


def contexts() -> tuple[dict[str, DockerHost], dict[str, str]]:
    """By name, the contexts that a lab can use as hosts, and of the others why not; ``default`` is this machine."""
    load_docker()
    from docker.context import ContextAPI
    from docker.errors import DockerException

    usable: dict[str, DockerHost] = {}
    refused: dict[str, str] = {}
    try:
        with warnings.catch_warnings():
            # docker-py leaves its files to the garbage collector.
            warnings.simplefilter("ignore", ResourceWarning)
            found = ContextAPI.contexts()
    except DockerException as error:
        return {}, {"*": str(error)}
    for context in found:
        if context.Name == "default":
            continue
        tls = getattr(context, "TLSConfig", None)
        files = [Path(p) for p in (tls.ca_cert, *(tls.cert or ())) if p] if tls else []
        folder = str(files[0].parent) if files else ""
        try:
            usable[context.Name] = DockerHost(address=str(context.Host), certificates=folder)
        except ValidationError as error:
            refused[context.Name] = "; ".join(str(e["msg"]) for e in error.errors())
            continue
        if folder and {p.name for p in files} != {"ca.pem", "cert.pem", "key.pem"}:
            del usable[context.Name]
            refused[context.Name] = "its TLS folder lacks one of ca.pem, cert.pem and key.pem"
    return usable, refused
