"""One case of ``tests/zoo`` in a lab of its own that outlives this process: what ``setup.sh`` and its like call."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from testbed import Scratch, TestbedError, ensure_traefik, stand_in
from testbed.definitions import definition
from testbed.docker_engine import docker
from tests.docker.zoo_cases import EDGE, case_names, stack_of, with_companions
from tests.docker.zoo_lab import PIN, ZooLab
from tests.docker.zoo_rig import Zoo

PLACE_VARIABLE = "HOMELAB_ZOO"
DEFAULT_PLACE = "/tmp/homelab-zoo"  # said in the README, so that a client's configuration can name it
THROTTLE = 3.0
"""Seconds until Traefik serves what was started: it gathers changes for 2 s (``providersThrottleDuration``)."""

_HOLD = "import pathlib, sys, time\nwhile pathlib.Path(sys.argv[1]).exists(): time.sleep(0.1)"


class Refused(Exception):
    """The request cannot be met; the message says what to do."""


class LastingRun(Scratch):
    """A run whose objects stay on the engine when its process ends, for another process to remove."""

    def __init__(self) -> None:
        super().__init__(keep=True)

    @classmethod
    def to_end(cls, run_id: str, projects: Sequence[str]) -> LastingRun:
        """That run again; closing it removes what it made."""
        run = cls()
        run.run_id, run.keep = run_id, False
        run._projects.extend(projects)
        return run


class Stage:
    """The folder of the one case that is played: its lab in ``stacks``, its key and PIN, and what is known of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = folder / "stacks"
        self._note = folder / "case.json"

    def known(self) -> dict[str, Any] | None:
        """``name``, ``run`` and ``words`` of the case that stands here; None where there is none."""
        if not self._note.is_file():
            return None
        found: dict[str, Any] = json.loads(self._note.read_text())
        return found

    def note(self, name: str, run: str, words: dict[str, str]) -> None:
        """Write down what another process needs to go on."""
        self._note.write_text(json.dumps({"name": name, "run": run, "words": words}))

    def settings(self) -> dict[str, str]:
        """The variables with which `homelab-mcp` works on this lab."""
        return {
            "HOMELAB_ROOT": str(self.root),
            "HOMELAB_KEY_FILE": str(self.folder / "key"),
            "HOMELAB_PIN_FILE": str(self.folder / "pin"),
        }

    def lab(self, name: str) -> ZooLab:
        """The lab of that case, which stands here. Raises Refused."""
        known = self.known()
        if known is None or known["name"] != name or not known["words"]:
            raise Refused(f"{name} is not set up in {self.folder}: run its setup.sh first.")
        return ZooLab(self.root, known["words"], with_companions(name))


def set_up(stage: Stage, name: str) -> str:
    """Make the lab, break the case in it, and wait until the fault is there; what a person may want to know.

    Raises:
        Refused: the folder holds something else, or the fault did not come.
    """
    clean_up(stage, name)
    try:
        stage.folder.mkdir(mode=0o700, parents=True)
    except FileExistsError as error:
        raise Refused(f"{stage.folder} is no case of the zoo: name another in {PLACE_VARIABLE}.") from error
    with LastingRun() as run:
        stage.note(name, run.run_id, {})
        (stage.folder / "pin").write_text(f"{PIN}\n")
        lines = [f"export {k}={shlex.quote(v)}\n" for k, v in stage.settings().items()]
        (stage.folder / "env").write_text("".join(lines))
        traefik = ensure_traefik(definition("traefik").container.image.reference).reference
        zoo = Zoo(stage.folder, run, stand_in, traefik, with_companions(name))
        stage.note(name, run.run_id, dict(zoo.words))
        exhibit = zoo.exhibits[name]
        if zoo.words["TAKEN"] in exhibit.compose:
            _hold(zoo, stage.folder / f"held-{run.run_id}")
        zoo.taken.close()
        zoo.open()
        if "what" in exhibit.task:
            time.sleep(THROTTLE)
        zoo.commands(exhibit, "late")
    if zoo.troubles:
        raise Refused("The fault did not come: " + "; ".join(zoo.troubles))
    return f"{exhibit.stack}/{exhibit.service} is broken. Its lab is {stage.root}; `. {stage.folder}/env` works on it."


def _hold(zoo: Zoo, mark: Path) -> None:
    """Keep the taken port taken by a process of the host, for as long as ``mark`` is there."""
    mark.touch()
    subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(mark)],
        pass_fds=[zoo.taken.fileno()],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True,
    )  # fmt: skip


def verify(stage: Stage, name: str, within: float) -> str:
    """What is still wrong, looked at for that many seconds; "" where the case is settled. Raises Refused."""
    lab = stage.lab(name)
    return lab.unsettled(lab.exhibits[name], within)


def clean_up(stage: Stage, name: str) -> None:
    """Remove all of the case, also a half-made one; nothing where there is none.

    Raises:
        Refused: another case stands in this folder.
    """
    known = stage.known()
    if known is None:
        return
    if known["name"] != name:
        raise Refused(
            f"{known['name']} stands in {stage.folder}: run its cleanup.sh, or name another in {PLACE_VARIABLE}."
        )
    projects = [stack_of(n, known["run"]) for n in (*with_companions(name), EDGE)]
    with LastingRun.to_end(known["run"], projects):
        pass  # leaving it is what removes
    # A repair makes an external network as a person would: it bears no label of the run, only its name.
    for network in docker("network", "ls", "--quiet", "--filter", f"name={known['run']}").split():
        docker("network", "rm", network)
    shutil.rmtree(stage.folder)


def main() -> int:
    """Exit code: 0 done or settled, 1 not settled, 2 refused."""
    parser = argparse.ArgumentParser(prog="play", description=__doc__)
    parser.add_argument("part", choices=["setup", "verify", "cleanup"])
    parser.add_argument("case", choices=case_names(), metavar="CASE")
    parser.add_argument("--within", type=float, default=20, help="seconds that verify waits for it; 20")
    given = parser.parse_args()
    place = Path(os.environ.get(PLACE_VARIABLE) or DEFAULT_PLACE)
    try:
        if not place.is_absolute():
            raise Refused(f"{PLACE_VARIABLE} is to be a whole path, such as {DEFAULT_PLACE}.")
        stage = Stage(place)
        os.environ |= stage.settings()
        if given.part == "setup":
            print(set_up(stage, given.case))
        elif given.part == "cleanup":
            clean_up(stage, given.case)
        elif wrong := verify(stage, given.case, given.within):
            print(f"Not settled: {wrong}.")
            return 1
    except (Refused, TestbedError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
