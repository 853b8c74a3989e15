"""Throw-away runs beside the lab."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from homelab_mcp.model.trial import Trial, TrialSeen


class Trials(Protocol):
    """Runs trials on the engine, each as a project of its own. Raises EngineUnavailable, EngineFailed."""

    def run(self, project: str, trial: Trial, step: Callable[[str], None]) -> tuple[TrialSeen, ...]:
        """Make, start and watch it; the main service first. It is left there: ``remove`` takes it away.

        ``step`` is told what is done, at least every two seconds; what it raises ends the run.
        """
        ...

    def remove(self, project: str) -> list[str]:
        """Remove the project's containers with their volumes, and its networks; names of what was there."""
        ...

    def sweep(self) -> list[str]:
        """Remove every trial that this lab has on the engine, as after a kill; names of what was there."""
        ...
