"""Which process runs which tests, where several share them (pytest-xdist; see script/test).

A Docker Engine belongs to one process at a time: each would see what another does to it. So the files that need one
are dealt to the processes that have one, and the rest to whoever is free. A file is dealt whole, for the sake of what
its tests share.
"""

from __future__ import annotations

from enum import Enum
from typing import Any

from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]
from xdist.workermanage import WorkerController  # type: ignore[import-untyped]

NEEDS_ENGINE = ("tests/docker/", "tests/e2e/")

# These fetch something, or look at how this machine is set up; script/own-engine has no network but its own.
ON_THE_MACHINE = (
    "tests/docker/test_testbed.py",
    "tests/e2e/test_docs_site.py",
    "tests/e2e/test_mcpo.py",
    "tests/e2e/test_package.py",
    "tests/e2e/test_setup.py",
)

# The longest files first, in seconds on two processors: the last to end should be a short one.
LONGEST_FIRST = (
    "tests/e2e/test_agents.py",
    "tests/docker/test_catalog_deployed.py",
    "tests/docker/test_catalog_shards.py",
    "tests/docker/test_zoo.py",
    "tests/e2e/test_demo.py",
    "tests/docker/test_corpus_compose.py",
    "tests/docker/test_core_stack.py",
    "tests/docker/test_any_service.py",
    "tests/docker/test_secrets_in_logs.py",
    "tests/docker/test_seeing.py",
    "tests/docker/test_backups.py",
    "tests/docker/test_renew_certs.py",
    "tests/docker/test_kill_apply.py",
)


class Process(Enum):
    """What a process has to run tests with."""

    FILES = "no engine"
    ENGINE = "the machine's engine"
    OWN_ENGINE = "an engine of its own, without the machine's network"


def may_run(process: Process, file: str) -> bool:
    """Whether a process has what the tests of a file need."""
    if not file.startswith(NEEDS_ENGINE):
        return True
    return process is Process.ENGINE or (process is Process.OWN_ENGINE and file not in ON_THE_MACHINE)


def order(process: Process, file: str) -> tuple[bool, bool, int]:
    """Where a file stands in a process's queue, smallest first.

    What few processes can run comes before what all can; among these the longest.
    """
    place = LONGEST_FIRST.index(file) if file in LONGEST_FIRST else len(LONGEST_FIRST)
    return (not file.startswith(NEEDS_ENGINE), process is Process.ENGINE and file not in ON_THE_MACHINE, place)


class Lanes(LoadScopeScheduling):  # type: ignore[misc] # xdist carries no types
    """Deals each file to a process that can run it."""

    def process(self, node: WorkerController) -> Process:
        """What a node has: script/own-engine is in its command, or it is the first of the others."""
        if is_own_engine(node):
            return Process.OWN_ENGINE
        plain = sorted(other.gateway.id for other in self.nodes if not is_own_engine(other))
        return Process.ENGINE if node.gateway.id == plain[0] else Process.FILES

    def _split_scope(self, nodeid: str) -> str:
        return nodeid.partition("::")[0]

    def _next(self, node: WorkerController) -> str | None:
        process = self.process(node)
        fitting = (file for file in self.workqueue if may_run(process, file))
        return min(fitting, key=lambda file: order(process, file), default=None)

    def _assign_work_unit(self, node: WorkerController) -> None:
        if file := self._next(node):
            self.workqueue.move_to_end(file, last=False)
            super()._assign_work_unit(node)

    def _reschedule(self, node: WorkerController) -> None:
        # A process that waits for more keeps back its last test until it is told that there is none.
        if self.workqueue and self._next(node) is None and not node.shutting_down:
            node.shutdown()
            return
        super()._reschedule(node)


def is_own_engine(node: Any) -> bool:
    """Whether script/test started a process with an engine of its own."""
    return "script/own-engine" in (node.gateway.spec.python or "")
