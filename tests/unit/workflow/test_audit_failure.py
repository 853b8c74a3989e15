"""Where the journal takes no record, nothing is planned, approved or applied: read-only, full, somebody else's."""

from __future__ import annotations

import ctypes
import os
import resource
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from homelab_mcp.adapters.journal import JsonlJournal
from homelab_mcp.model.errors import HomelabError
from tests.unit.workflow.bench_lab import BenchLab

NOBODY = 65534
MS_RDONLY, MS_REMOUNT, MNT_DETACH = 1, 32, 2


def mount(target: Path, flags: int, options: str) -> bool:
    libc = ctypes.CDLL(None, use_errno=True)
    return bool(libc.mount(b"tmpfs", str(target).encode(), b"tmpfs", flags, options.encode()) == 0)


def may_mount() -> bool:
    with tempfile.TemporaryDirectory() as folder:
        if not mount(Path(folder), 0, "size=64k"):
            return False
        ctypes.CDLL(None).umount2(folder.encode(), MNT_DETACH)
        return True


def no_growth(root: Path) -> None:
    """No file may grow past what the journal has: as full as a disk can be for it."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    size = (root / ".homelab/journal.jsonl").stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def fill(root: Path) -> None:
    with suppress(OSError), (root / ".fill").open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * 512)


def folder_in_place(name: str) -> Callable[[Path], None]:
    def spoil(root: Path) -> None:
        path = root / ".homelab" / name
        path.rename(path.with_name(f"{name}.kept"))
        path.mkdir()

    return spoil


def not_the_owner(root: Path) -> None:
    if os.getuid() == 0:
        os.setgid(NOBODY)
        os.setuid(NOBODY)
        return
    for path in (root / ".homelab").iterdir():
        path.chmod(0o500 if path.is_dir() else 0o400)
    (root / ".homelab").chmod(0o500)


def read_only(root: Path) -> None:
    assert mount(root, MS_REMOUNT | MS_RDONLY, "")


REFUSED = {"journal_unwritable", "disk_full", "not_allowed", "read_only", "storage_failed", "plan_unknown"}

WAYS: dict[str, Callable[[Path], None]] = {
    "no journal file": folder_in_place("journal.jsonl"),
    "no journal lock": folder_in_place("journal.lock"),
    "no growth": no_growth,
    "not the owner": not_the_owner,
}
if os.getuid() == 0 and may_mount():
    WAYS |= {"disk full": fill, "read-only": read_only}


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that another user may reach, with a key that all may read: the journal alone is in the way."""
    folder = Path(tempfile.mkdtemp(prefix="homelab-audit-"))
    folder.chmod(0o755)
    monkeypatch.setenv("HOMELAB_KEY_FILE", str(folder / "lab.key"))
    (folder / "lab").mkdir()
    yield folder / "lab"
    with suppress(OSError):
        ctypes.CDLL(None).umount2(str(folder / "lab").encode(), MNT_DETACH)
    shutil.rmtree(folder, ignore_errors=True)


def told_by(spoil: Callable[[], object], work: Callable[[], object]) -> str:
    """Spoil and work in a child; the code of the error it ended with, or "did it"."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        answer = "did it"
        try:
            spoil()
            work()
        except HomelabError as error:
            answer = error.code
        except Exception as error:  # noqa: BLE001 - the child tells its parent
            answer = f"{type(error).__name__}: {error}"
        os.write(writer, answer.encode())
        os._exit(0)
    os.close(writer)
    os.waitpid(child, 0)
    with os.fdopen(reader, "r", encoding="utf-8") as file:
        return file.read()


@pytest.mark.parametrize(
    ("way", "rotation_due"),
    # A new file gives a journal that may not grow its room.
    [(way, due) for way in WAYS for due in (False, True) if not (due and way == "no growth")],
)
@pytest.mark.parametrize("step", ["plan", "approve", "apply"])
def test_what_cannot_be_recorded_is_not_done(place: Path, way: str, step: str, rotation_due: bool) -> None:
    if way in {"disk full", "read-only"}:
        assert mount(place, 0, "size=1m,mode=755")
    lab = BenchLab(place)
    if rotation_due:
        lab.journal = JsonlJournal(place, most_lines=2)
        lab.planner._journal = lab.approvals._journal = lab.applier.journal = lab.journal
    lab.history.ensure()
    draft = lab.add_draft()
    approved = lab.plan(draft)
    waiting = lab.plan(draft, approve=False)
    Path(os.environ["HOMELAB_KEY_FILE"]).chmod(0o644)
    count = len(list((place / ".homelab/plans").iterdir()))
    before = lab.visible()
    works: dict[str, Callable[[], object]] = {
        "plan": lambda: lab.plan(draft, approve=False),
        "approve": lambda: lab.approvals.dialog(waiting, draft.target, "test"),
        "apply": lambda: lab.applier.run(approved.id),
    }
    said = told_by(lambda: WAYS[way](place), works[step])
    if way.startswith("no journal") or (way == "no growth" and step != "apply"):
        assert said == "journal_unwritable"
    else:
        # Where something before the journal met the same, it is refused all the same.
        assert said in REFUSED or said.startswith(("PermissionError", "OSError: [Errno 28]")), said
    with suppress(OSError):
        (place / ".fill").unlink(missing_ok=True)
    assert {k: v for k, v in lab.visible().items() if k != ".fill"} == before
    assert lab.docker.calls == []
    assert len(list((place / ".homelab/plans").iterdir())) == count
    assert lab.plans.approval(waiting.id) is None
    if way == "disk full":
        lab.journal.append("room again", {})
        assert lab.journal.verify() == ""
