"""The bench lab as ``ports.Lab``, for what takes a whole lab."""

from __future__ import annotations

from homelab_mcp.adapters.data_hosts import DataHosts
from homelab_mcp.adapters.hardware import LinuxHardware
from homelab_mcp.core.policy import DEFAULT_POLICY, Policy
from homelab_mcp.model.lab import LOCAL, LabSettings
from homelab_mcp.model.plan import Plan, PlanStatus, Requester, Risk
from homelab_mcp.workflow.proposals import propose_resolve_drift, propose_rollback
from tests.unit.workflow.bench_lab import PIN, BenchLab

CLI = Requester("cli")


class BenchAsLab:
    """What queries and proposals need of a lab; the parts are the bench's own."""

    files_only = False
    seen = ""

    def __init__(self, bench: BenchLab) -> None:
        self.bench = bench
        self.root = str(bench.root)
        self.roots = (self.root,)
        self.data = bench.data
        self.placed_data = DataHosts(bench.data, lambda stack: LOCAL, lambda host: None, lambda: ())
        self.files, self.engine, self.compose = bench.files, bench.docker, bench.compose
        self.history, self.journal, self.plans = bench.history, bench.journal, bench.plans
        self.approver, self.lock, self.clock, self.probe = bench.approver, bench.lock, bench.clock, bench.probe
        self.hardware = LinuxHardware()

    @property
    def whole(self) -> BenchAsLab:
        return self

    @property
    def settings(self) -> LabSettings:
        return LabSettings(domain="lab.test")

    @property
    def policy(self) -> Policy:
        return DEFAULT_POLICY

    def commit_all(self) -> None:
        """As after an apply: git holds every file that it may."""
        self.history.commit(sorted(self.bench.visible()), "all of it")

    def resolve(self, stack: str, how: str) -> Plan:
        return propose_resolve_drift(self, stack, how, CLI)  # type: ignore[arg-type] # without what is not asked for

    def rollback(self, plan_id: str, to: str = "", stack: str = "") -> Plan:
        return propose_rollback(self, plan_id, CLI, to=to, stack=stack)  # type: ignore[arg-type] # as above

    def apply(self, plan: Plan) -> PlanStatus:
        """With a person's yes; signed where the risk asks for that, as signing takes a second."""
        self.bench.clock.sleep(1)
        if plan.risk is Risk.HIGH:
            self.bench.approvals.out_of_band(plan.id, PIN, who="test", approved=True)
        else:
            self.bench.approvals.dialog(plan, plan.draft.target, "test")
        return self.bench.applier.run(plan.id)
