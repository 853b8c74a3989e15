"""The process that applies one plan, so that an apply outlives whoever asked for it.

``python -m homelab_mcp.worker --root DIR [--files-only] apply PLAN_ID``. It talks to nobody: what it does is in the
plan's status, which the server and the command line read.
"""

from __future__ import annotations

import argparse
import logging
import sys

from homelab_mcp.bootstrap import mask_output, open_lab
from homelab_mcp.model.errors import HomelabError, LabLocked, VaultLocked
from homelab_mcp.ports import Lab

logger = logging.getLogger("homelab_mcp.worker")


def main(argv: list[str] | None = None) -> int:
    """Apply one plan, after putting right what a killed apply left; exit code 0 when it was done, 1 when not."""
    parser = argparse.ArgumentParser(prog="homelab_mcp.worker")
    parser.add_argument("--root", required=True)
    parser.add_argument("--files-only", action="store_true")
    parser.add_argument("command", choices=["apply"])
    parser.add_argument("plan_id")
    args = parser.parse_args(argv)
    lab = open_lab(args.root, files_only=args.files_only)
    mask_output(lambda: lab.redactor)
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING)
    try:
        _put_right(lab)
        if lab.plans.used(args.plan_id):
            return 1
        from homelab_mcp.workflow.assembly import applier

        applier(lab).run(args.plan_id)
    except HomelabError as error:
        logger.error("%s", error.as_text())
        return 1
    except OSError as error:
        logger.error("a file operation failed: %s", error.strerror or type(error).__name__)
        return 1
    return 0


def _put_right(lab: Lab) -> None:
    from homelab_mcp.workflow.assembly import recovery
    from homelab_mcp.workflow.upkeep import upkeep

    machine = recovery(lab)
    try:
        if machine.needed():
            machine.recover()
        upkeep(lab)
    except VaultLocked as error:
        # The plan of this process meets the same, and its status tells.
        logger.warning("%s", error.as_text())
    except LabLocked:
        # An apply is at work; the plan of this process meets the same lock and says so.
        return


if __name__ == "__main__":
    raise SystemExit(main())
