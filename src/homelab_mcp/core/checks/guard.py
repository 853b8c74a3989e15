"""What becomes of a rule that fails over a file: that is told as a finding (HL903), and the other rules go on."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from homelab_mcp.model.finding import Finding, Severity

logger = logging.getLogger("homelab_mcp.checks")
STRICT = False
"""True: what a rule raises goes through, so that tests meet it."""
FAILED = "HL903"
_Made = TypeVar("_Made")


class Guard:
    """Runs the parts of one look at a lab; ``trouble`` is what is to be told of those that failed."""

    def __init__(self, file: str) -> None:
        self.trouble: dict[Finding, None] = {}
        self._file = file

    def found(self, rule: str, check: Callable[[], Iterable[Finding]]) -> Iterator[Finding]:
        """What a rule finds; where it fails, what it found until then."""
        try:
            yield from check()
        except Exception as error:  # noqa: BLE001 - whatever it is, the other rules go on
            self._note(f"The rule {rule}", error, self._file)

    def made(self, what: str, make: Callable[[], _Made], otherwise: _Made, *, file: str = "") -> _Made:
        """What ``make`` gives; ``otherwise`` where it fails. ``what`` begins the sentence that tells of it."""
        try:
            return make()
        except Exception as error:  # noqa: BLE001 - whatever it is, the other rules go on
            self._note(what, error, file or self._file)
            return otherwise

    def _note(self, what: str, error: Exception, file: str) -> None:
        if STRICT:
            raise error
        logger.exception("%s failed, looking at %s; please report this", what, file or "no file")
        message = f"{what} failed ({type(error).__name__}), so something may be left unsaid. Please report it."
        place = int(bool(file))
        self.trouble[Finding(FAILED, Severity.WARNING, message, file, place, place)] = None
