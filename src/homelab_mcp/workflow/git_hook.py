"""A forge's word that somebody pushed: who may say it, and the plan that comes of it."""

from __future__ import annotations

import logging
import threading

from homelab_mcp.model.errors import HomelabError, InvalidInput
from homelab_mcp.model.plan import Requester
from homelab_mcp.ports import Lab
from homelab_mcp.workflow.git_sync import propose_pull

_NOTHING = "nothing_to_do"

logger = logging.getLogger("homelab_mcp")


def hook_on(lab: Lab, *, again: bool = False) -> str:
    """Make the secret that a forge signs with; it. Raises InvalidInput (``webhook_exists``), StorageFailed."""
    _ = lab.settings  # a folder that is no lab gets none
    if not again and lab.hook.read():
        raise InvalidInput(
            "There is a webhook already.", hint="`--new` makes another secret, `--off` ends it.", code="webhook_exists"
        )
    secret = lab.hook.make()
    try:
        lab.journal.append("git_webhook", {"what": "on, with a new secret"})
    except HomelabError:
        lab.hook.remove()
        raise
    return secret


def hook_off(lab: Lab) -> bool:
    """Nobody's call counts any more; whether somebody's did. Raises StorageFailed."""
    was = lab.hook.remove()
    if was:
        lab.journal.append("git_webhook", {"what": "off"})
    return was


class PullPlans:
    """Makes the plan of a pull in the background, one at a time; calls that come meanwhile make one more together."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._guard = threading.Lock()
        self._wanted = self._at_work = False

    def ask(self) -> None:
        """There may be something new. Returns at once."""
        with self._guard:
            self._wanted = True
            if self._at_work:
                return
            self._at_work = True
        threading.Thread(target=self._run, name="git webhook", daemon=True).start()

    def _run(self) -> None:
        while True:
            with self._guard:
                if not self._wanted:
                    self._at_work = False
                    return
                self._wanted = False
            self._look()

    def _look(self) -> None:
        try:
            # A call has no time in its signature: who repeats it brings back nothing that a person has said no to.
            plan = propose_pull(self._lab, Requester(via="worker", client="webhook"), once=True)
        except HomelabError as error:
            if error.code != _NOTHING:
                logger.warning("a webhook's pull was not planned: %s", error.as_text())
        except Exception:
            # Nobody waits for this thread: what it does not tell is lost.
            logger.exception("a webhook's pull failed")
        else:
            logger.warning("a plan of a pull waits for a person: homelab-mcp plan %s", plan.id)
