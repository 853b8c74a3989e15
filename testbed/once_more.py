"""Runs once more, alone, what failed while several processes shared the machine.

Tests on real engines wait for programs that are not ours. Beside two other processes one of them may wait too long;
alone it says whether something is broken. What passes alone is named in the last lines all the same, as it may have
met a real fault that needs a busy machine: whoever sees such a line looks for it first.

    python -m testbed.once_more            exit code 0 when all passed at the second try, else 1
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

REAL = ("tests/docker/", "tests/e2e/")
MOST = 3
FAILED = Path(".pytest_cache/v/cache/lastfailed")


def why_not(failed: Sequence[str]) -> str:
    """Why these tests (pytest's ids) get no second try; "" when they do."""
    if not failed:
        return "no failed test is known"
    if len(failed) > MOST:
        return f"more than {MOST} failed"
    wrong = [test for test in failed if not test.startswith(REAL) or "::" not in test]
    return f"{wrong[0]} waits for no other program" if wrong else ""


def main() -> int:
    """Run them, and say what came of it."""
    try:
        failed = sorted(json.loads(FAILED.read_text("utf-8")))
    except (OSError, ValueError):
        failed = []
    if reason := why_not(failed):
        print(f"test: no second try: {reason}")
        return 1
    print(f"test: once more, alone: {', '.join(failed)}", flush=True)
    code = subprocess.run([sys.executable, "-m", "pytest", "-n0", *failed], check=False).returncode
    if code == 0:
        print("test: UNSTEADY, failed beside others (above) and passed alone; find out why:")
        print(*(f"  {test}" for test in failed), sep="\n", flush=True)
    return min(code, 1)


if __name__ == "__main__":
    sys.exit(main())
