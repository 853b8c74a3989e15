"""Deploys catalog entries as the tests do, and gives those that pass the level ``deployed``.

Run: ``script/catalog-deployed [SERVICE...]``; without names, every entry whose level is ``generated``. Needs Docker.
Prints what is wrong with the others, and the seconds an entry took. See docs/catalog.md.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from homelab_mcp.adapters.catalog_files import packaged_folder
from homelab_mcp.model.definition import ServiceDefinition
from homelab_mcp.model.errors import HomelabError
from testbed.batches import batches

if TYPE_CHECKING:
    from tests.docker.lab import RealLab

AT_ONCE = 20


def marked(text: str) -> str:
    """The entry's text with its level raised; the same where it is not ``generated``."""
    return text.replace("\nlevel: generated\n", "\nlevel: deployed\n", 1)


def passed(entries: Sequence[ServiceDefinition], problems: dict[str, list[str]]) -> list[str]:
    """The ids of those that nothing is wrong with; none where what is wrong is nobody's alone."""
    ids = {entry.id for entry in entries}
    return sorted(ids - problems.keys()) if problems.keys() <= ids else []


def tried(lab: RealLab, batch: Sequence[ServiceDefinition], stack: str) -> dict[str, list[str]]:
    """What is wrong with each entry; a batch that is refused as a whole is halved until the one is found."""
    from tests.docker.catalog_trial import try_out

    try:
        return try_out(lab, batch, stack)
    except HomelabError as error:
        if len(batch) == 1:
            return {batch[0].id: [f"{error.message} [{error.code}]"]}
    half = len(batch) // 2
    return tried(lab, batch[:half], f"{stack}a") | tried(lab, batch[half:], f"{stack}b")


def main(arguments: Sequence[str] | None = None) -> int:
    """Deploy, print and mark. 0: all passed; 1: some did not."""
    from tests.docker.catalog_trial import BY_ID, trial_lab

    parser = argparse.ArgumentParser(prog="script/catalog-deployed", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("service", nargs="*", help="ids; none: every entry that is generated and not deployed")
    named = parser.parse_args(arguments).service
    unknown = [name for name in named if name not in BY_ID]
    if unknown:
        parser.error(f"the catalog has no {', '.join(unknown)}")
    wanted = [BY_ID[name] for name in named] or [d for d in BY_ID.values() if d.level == "generated"]
    failed = 0
    with tempfile.TemporaryDirectory() as folder, trial_lab(Path(folder)) as lab:
        for number, batch in enumerate(batches(wanted, AT_ONCE)):
            begun = time.monotonic()
            problems = tried(lab, batch, f"batch{number}")
            good = passed(batch, problems)
            for entry in (BY_ID[name] for name in good):
                path = packaged_folder() / entry.category / f"{entry.id}.yaml"
                path.write_text(marked(path.read_text("utf-8")), "utf-8")
            for name, words in problems.items():
                print(f"{name}: {'; '.join(words)}", file=sys.stderr)
            failed += len(batch) - len(good)
            each = (time.monotonic() - begun) / len(batch)
            print(f"{len(good)} of {len(batch)} passed, {each:.1f} s an entry: {', '.join(good)}", flush=True)
    print("Run script/services-doc: the pages say the level.")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
