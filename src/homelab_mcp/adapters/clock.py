"""The machine's clock."""

from __future__ import annotations

import time


class SystemClock:
    """Fulfils ``ports.Clock``."""

    def now(self) -> float:
        """Unix seconds."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds that never run backwards; for durations only."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)
