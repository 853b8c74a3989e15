"""Builds the adapters of one lab and hands them down: the only wiring.

``on_disk`` has what lies in the lab's folder, ``engines`` what runs, ``lab`` the records and keys, and with them the
whole; ``outside`` is for what needs no lab.
"""

from homelab_mcp.bootstrap.lab import LocalLab, open_lab
from homelab_mcp.bootstrap.outside import (
    compose_judge,
    disk_reader,
    mask_output,
    openwebui,
    redactor_of,
    send_notice,
    tell,
)

__all__ = [
    "LocalLab",
    "compose_judge",
    "disk_reader",
    "mask_output",
    "open_lab",
    "openwebui",
    "redactor_of",
    "send_notice",
    "tell",
]
