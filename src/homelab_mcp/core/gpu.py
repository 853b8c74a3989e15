"""Graphics processors: what a host has, and how a container is given one.

Facts: NVIDIA by a device reservation (Compose specification, ``deploy.resources.reservations.devices``), which needs
NVIDIA's container toolkit on the host; Intel and AMD by ``/dev/dri``, whose render nodes belong to a group of the host.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from homelab_mcp.core.service_edit import ServiceEdit
from homelab_mcp.model.definition import ServiceDefinition
from homelab_mcp.model.errors import InvalidInput

Kind = Literal["nvidia", "intel", "amd"]
DRI = "/dev/dri"
_RESERVED = "deploy.resources.reservations.devices"
_NVIDIA = {"driver": "nvidia", "count": "all", "capabilities": ["gpu"]}


@dataclass(frozen=True, slots=True)
class RenderNode:
    """One ``/dev/dri/renderD*``: its maker and the number of the group that may use it."""

    path: str
    kind: str
    gid: int


@dataclass(frozen=True, slots=True)
class Gpus:
    """What a host has: NVIDIA's driver, its container toolkit, and render nodes."""

    nvidia: bool = False
    toolkit: bool = False
    nodes: tuple[RenderNode, ...] = ()

    @property
    def kinds(self) -> tuple[str, ...]:
        """Every kind there is."""
        found = [n.kind for n in self.nodes if n.kind in ("intel", "amd")]
        return tuple(dict.fromkeys((["nvidia"] if self.nvidia else []) + found))


NO_GPUS = Gpus()


def give(edit: ServiceEdit, wanted: str, gpus: Gpus, definition: ServiceDefinition | None = None) -> list[str]:
    """Give the service a graphics processor ("on": the first kind that suits both); notes for the person.

    Raises:
        InvalidInput: the service or the host has no use for it (``gpu_not_possible``).
    """
    suits = _suits(definition)
    kind = wanted if wanted != "on" else next((k for k in gpus.kinds if suits is None or k in suits), "")
    if suits is not None and (not suits or (kind and kind not in suits)):
        why = definition.gpu.why if definition else ""
        raise InvalidInput(f"{edit.service} has no use for that: {why}", code="gpu_not_possible", hint="Leave it out.")
    if kind not in gpus.kinds:
        there = ", ".join(gpus.kinds) or "no graphics processor that containers could use"
        raise InvalidInput(
            f"This host has {there}.", code="gpu_not_possible", hint="Check its driver (ls /dev/dri, nvidia-smi)."
        )
    if kind == "nvidia":
        if not gpus.toolkit:
            raise InvalidInput(
                "NVIDIA's container toolkit is missing, so Docker could not start it.",
                code="gpu_not_possible",
                hint="A person installs nvidia-container-toolkit, then runs `nvidia-ctk runtime configure`.",
            )
        take(edit, gpus, only="dri")
        if not any(_is_gpu(d) for d in edit.items(_RESERVED)):
            edit.add_item(_RESERVED, _NVIDIA)
        return ["Gets every NVIDIA processor of the host."]
    node = next(n for n in gpus.nodes if n.kind == kind)
    take(edit, gpus, only="nvidia")
    if not any(_source(d).startswith(DRI) for d in edit.items("devices")):
        edit.add_item("devices", f"{DRI}:{DRI}")
    if not any(str(g) in {str(node.gid), "render"} for g in edit.items("group_add")):
        edit.add_item("group_add", str(node.gid))
    return [f"Gets {DRI} ({kind}) and the host's group {node.gid}, which may use {node.path}."]


def take(edit: ServiceEdit, gpus: Gpus, only: str = "") -> None:
    """Take what :func:`give` gives: reservations of graphics processors, ``/dev/dri`` and its groups."""
    if only != "dri":
        edit.remove_items(_RESERVED, _is_gpu)
    if only != "nvidia":
        edit.remove_items("devices", lambda d: _source(d).startswith(DRI))
        groups = {str(n.gid) for n in gpus.nodes} | {"render"}
        edit.remove_items("group_add", lambda g: str(g) in groups)


def _suits(definition: ServiceDefinition | None) -> set[str] | None:
    if definition is None:
        return None
    if definition.gpu.use == "none":
        return set()
    kinds = set(definition.gpu.kinds)
    return {"nvidia" for k in kinds if k == "nvidia"} | {w for k in kinds if k == "vaapi" for w in ("intel", "amd")}


def _is_gpu(device: Any) -> bool:
    capabilities = device.get("capabilities") if isinstance(device, Mapping) else None
    return isinstance(capabilities, list) and "gpu" in [str(c) for c in capabilities]


def _source(device: Any) -> str:
    return str(device.get("source", "") if isinstance(device, Mapping) else device).partition(":")[0]
