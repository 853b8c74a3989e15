"""What the middle needs from the world, as Protocols; ``adapters/`` fulfils them, ``bootstrap`` joins the two."""

from homelab_mcp.ports.disk import Clock, Files, Lock
from homelab_mcp.ports.engine import Compose, Engine, EngineInfo, Judge, Probe, ProbeResult
from homelab_mcp.ports.lab import Lab, PromptText
from homelab_mcp.ports.plans import Approver, PlanStore, Signer, Worker
from homelab_mcp.ports.record import Commit, History, Journal
from homelab_mcp.ports.secrets import (
    Handover,
    KeptFile,
    SecretSource,
    SecretsSnapshot,
    Snapshots,
    TokenStore,
    Vault,
    VaultReport,
)

__all__ = [
    "Approver",
    "Clock",
    "Commit",
    "Compose",
    "Engine",
    "EngineInfo",
    "Files",
    "Handover",
    "History",
    "Journal",
    "Judge",
    "KeptFile",
    "Lab",
    "Lock",
    "PlanStore",
    "Probe",
    "ProbeResult",
    "PromptText",
    "SecretSource",
    "SecretsSnapshot",
    "Signer",
    "Snapshots",
    "TokenStore",
    "Vault",
    "VaultReport",
    "Worker",
]
