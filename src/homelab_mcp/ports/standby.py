"""The standby core on another Docker host."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from homelab_mcp.model.standby import StandbySeen, StandbySynced


class Standby(Protocol):
    """``stacks`` are of this machine. Raises EngineUnavailable (``host_silent``), EngineFailed, NotFound."""

    def seen(self, stacks: Sequence[str], *, compared: bool = True) -> tuple[StandbySeen, ...]:
        """Every standby of these stacks; a host that does not answer is left out.

        Without ``compared`` nobody looks which of it is behind the files, which costs most of the time.
        """
        ...

    def sync(self, host: str, stacks: Sequence[str]) -> StandbySynced:
        """Bring the stacks' files to the host and make their containers there, which are not started.

        Raises:
            InvalidInput: it runs (``standby_active``), others' files or containers are in the way
                (``standby_occupied``), or there is too much of it (``standby_too_large``).
            EngineFailed: files change all the time (``standby_unsteady``), or are not there as they were sent.
        """
        ...

    def active(self, host: str, stacks: Sequence[str]) -> tuple[str, ...]:
        """``stack/service`` of what runs there, what restarts all the time and what is paused among it."""
        ...

    def start(self, host: str, stacks: Sequence[str], *, only: Collection[str] | None = None) -> tuple[str, ...]:
        """Start what stands ready (``only``: these ``stack/service``), wait until it is well; the containers' names.

        Raises EngineFailed (``standby_not_up``), NotFound (``standby_missing``).
        """
        ...

    def stop(self, host: str, stacks: Sequence[str], *, keep: Collection[str] = ()) -> None:
        """Stop it, but for the ``stack/service`` in ``keep``; it stands ready as if it had never been started.

        Raises NotFound (``standby_missing``).
        """
        ...
