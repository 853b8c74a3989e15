"""What the middle needs from the world, as Protocols; ``adapters/`` fulfils them, ``bootstrap`` joins the two."""

from homelab_mcp.ports.backup import Restic
from homelab_mcp.ports.chat import ToolServers
from homelab_mcp.ports.data import Data, Owned, Owners, PlacedData
from homelab_mcp.ports.disk import Clock, Files, Lock
from homelab_mcp.ports.engine import Compose, Engine, EngineInfo, Judge, Probe, ProbeResult
from homelab_mcp.ports.hardware import Hardware, Place
from homelab_mcp.ports.host import Host
from homelab_mcp.ports.hosts import Hosts
from homelab_mcp.ports.inside import Inside
from homelab_mcp.ports.lab import Lab, PromptText
from homelab_mcp.ports.logs import LogFiles, LogSource
from homelab_mcp.ports.meter import Meter, UsageLog
from homelab_mcp.ports.plans import Approver, PlanStore, Signer, Worker
from homelab_mcp.ports.record import Commit, History, Journal, Remote, RemoteChange, RemoteSettings, Repositories
from homelab_mcp.ports.registry import Registry
from homelab_mcp.ports.releases import Releases
from homelab_mcp.ports.secrets import (
    Handover,
    HookSecret,
    KeptFile,
    SecretSource,
    SecretsSnapshot,
    Snapshots,
    TokenStore,
    Vault,
    VaultReport,
)
from homelab_mcp.ports.service_calls import ServiceCalls, ServiceLine
from homelab_mcp.ports.standby import Standby
from homelab_mcp.ports.swarm import Swarm
from homelab_mcp.ports.trials import Trials

__all__ = [
    "Approver",
    "Clock",
    "Commit",
    "Compose",
    "Data",
    "Engine",
    "EngineInfo",
    "Files",
    "Handover",
    "Hardware",
    "History",
    "HookSecret",
    "Host",
    "Hosts",
    "Inside",
    "Journal",
    "Judge",
    "KeptFile",
    "Lab",
    "Lock",
    "LogFiles",
    "LogSource",
    "Meter",
    "Owned",
    "Owners",
    "Place",
    "PlacedData",
    "PlanStore",
    "Probe",
    "ProbeResult",
    "PromptText",
    "Registry",
    "Releases",
    "Remote",
    "RemoteChange",
    "RemoteSettings",
    "Repositories",
    "Restic",
    "SecretSource",
    "SecretsSnapshot",
    "ServiceCalls",
    "ServiceLine",
    "Signer",
    "Snapshots",
    "Standby",
    "Swarm",
    "TokenStore",
    "ToolServers",
    "Trials",
    "UsageLog",
    "Vault",
    "VaultReport",
    "Worker",
]
