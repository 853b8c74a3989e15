"""Data on another host: the same as on this one, through a real container; and what a broken connection leaves."""

import os
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

from homelab_mcp.adapters import data_there
from homelab_mcp.adapters.data_folders import LabData
from homelab_mcp.adapters.data_there import DataThere, Way
from homelab_mcp.adapters.data_there_sh import MOVE_SH
from homelab_mcp.adapters.process import Finished
from homelab_mcp.model.errors import EngineUnavailable, HomelabError
from testbed import Scratch
from testbed.docker_engine import docker, wait_until
from testbed.storage import ensure_backup
from tests.data_semantics import SOMEBODY, DataSemantics, Place, wiki


@pytest.fixture(scope="module")
def image(testbed_run: Scratch) -> Iterator[str]:
    if os.getuid() != 0:
        pytest.fail("owners are given away and disks are mounted as root: run these tests as root", pytrace=False)
    reference = ensure_backup(f"homelab-testbed/backup-{testbed_run.run_id}:1").reference
    yield reference
    docker("rmi", "--force", reference)


END_SLEEP = "for p in $(pidof sleep); do grep -qz 600 /proc/$p/cmdline && kill $p; done"


class Carrier:
    """A container that has a folder, as the one that makes backups has the lab's."""

    def __init__(self, image: str, name: str, folder: Path) -> None:
        self.name = name
        docker(
            "run",
            "-d",
            "--network=none",
            "--init",
            f"--name={name}",
            f"--volume={folder}:/place",
            image,
            "sleep",
            "99999",
        )

    def way(self, *, fresh: bool = False) -> Way:
        del fresh
        return Way(("docker", "exec", self.name))

    def inside(self, text: str) -> str:
        return subprocess.run(
            ["docker", "exec", self.name, "sh", "-c", text], capture_output=True, text=True, check=False
        ).stdout

    def at_rest(self) -> None:
        """Wait until none of our runs is left in it."""
        wait_until(
            lambda: (
                "homelab-data" not in self.inside("cat /proc/[0-9]*/cmdline | tr '\\0' ' ' | sed 's/cat .proc.*//'")
            ),
            "runs end",
            within=30,
        )

    def close(self) -> None:
        docker("rm", "--force", "--volumes", self.name)


class Killed(DataThere):
    """Its client is killed so many seconds after it began."""

    def __init__(self, carrier: Carrier, seconds: float) -> None:
        super().__init__("nas", carrier.way)
        self._carrier, self._seconds = carrier, seconds

    def _send(self, text: str, words: Sequence[str], seconds: float, *, fresh: bool) -> tuple[Finished, list[bytes]]:
        del seconds, fresh
        argv = ["docker", "exec", self._carrier.name, "sh", "-c", text, "sh", *words]
        child = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        time.sleep(self._seconds)
        child.kill()
        out, _ = child.communicate()
        return Finished(-9, ""), out.split(b"\0")[:-2] if out.endswith(b"end\0") else []


@pytest.fixture
def carrier(image: str, tmp_path: Path, testbed_run: Scratch) -> Iterator[Carrier]:
    root = tmp_path / "lab"
    wiki(root)
    made = Carrier(image, f"data-{testbed_run.run_id}", root)
    yield made
    made.close()


@pytest.fixture
def place(carrier: Carrier, tmp_path: Path) -> Place:
    return Place(DataThere("nas", carrier.way), tmp_path / "lab", "@nas")


class TestThere(DataSemantics):
    """The same on another host."""


@pytest.fixture
def mounts(tmp_path: Path) -> Iterator[Callable[..., None]]:
    """``mount`` with these words; unmounted at the end, wherever a test moved it."""

    def mount(*words: str) -> None:
        subprocess.run(["mount", *words], check=True)

    yield mount
    points = [line.split(" ")[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    for point in reversed([p.replace("\\040", " ") for p in points]):
        if point.startswith(f"{tmp_path}/"):
            subprocess.run(["umount", "--lazy", point], check=True)


def test_a_mount_in_the_lab_is_another_file_system_and_is_not_walked_into(
    image: str, tmp_path: Path, testbed_run: Scratch, mounts: Callable[..., None]
) -> None:
    root = tmp_path / "lab"
    wiki(root)
    old = "20260101-000000-old"
    trash = root / ".homelab" / "trash"
    for folder in ("disk", "same", "apps/wiki/media", "apps/wiki/near", "near"):
        (root / folder).mkdir()
    for name in (f"{old}@nas", old):
        (trash / name / "apps" / "a b" / "m").mkdir(parents=True)
        mounts("-t", "tmpfs", "none", str(trash / name / "apps" / "a b" / "m"))
        (trash / name / "apps" / "a b" / "m" / "film").write_text("kept")
    mounts("-t", "tmpfs", "none", str(root / "disk"))
    mounts("-t", "tmpfs", "none", str(root / "apps/wiki/media"))
    (root / "apps/wiki/media/film").write_text("kept")
    # The same device, and yet no way for a rename.
    mounts("--bind", str(root / "near"), str(root / "apps/wiki/near"))
    (root / "apps/wiki/near/inside").mkdir()
    carrier = Carrier(image, f"data-{testbed_run.run_id}", root)
    try:
        before = Place(LabData(root), root).tree()
        for place in (Place(LabData(root), root), Place(DataThere("nas", carrier.way), root, "@nas")):
            data = place.data
            for source, target in (
                ("apps/wiki/page", "disk/new/page"),
                ("disk", "apps/disk"),
                ("apps/wiki/media/film", "apps/wiki/film"),
                ("apps/wiki", "disk/wiki"),
            ):
                assert not data.movable(source, target), (source, target)
            for source, target in (("apps/wiki/page", "disk/page"), ("apps/wiki/near/inside", "apps/inside")):
                assert place.code(partial(data.move, source, target)) == "other_file_system", (source, target)
            assert place.code(partial(data.move, "apps/wiki/near", "apps/near")) in (
                "other_file_system",
                "storage_failed",
            )
            told = [o.path for o in data.strangers("apps/wiki", *SOMEBODY, 99).found]
            assert told == ["apps/wiki", "apps/wiki/near", "apps/wiki/near/inside", "apps/wiki/page"]
            assert data.identity("disk") == f"{(root / 'disk').stat().st_dev}:{(root / 'disk').stat().st_ino}"
            assert place.code(partial(data.drop_trash, old + place.suffix)) == "mounted_inside"
            assert place.tree() == before
        there = DataThere("nas", carrier.way)
        assert not there.movable("apps/wiki/near/inside", "apps/inside")
        assert not there.movable("apps/wiki/near", "apps/near")
        # A folder goes with what is mounted in it.
        there.move("apps/wiki", "apps/moved")
        assert (root / "apps/moved/media/film").read_text() == "kept"
    finally:
        carrier.close()


def test_a_file_system_that_refuses_a_rename_gets_no_copy_either(
    image: str, tmp_path: Path, testbed_run: Scratch, mounts: Callable[..., None]
) -> None:
    """An overlay refuses to rename a folder of its lower layer, as between two file systems: nothing foretells it."""
    for part in ("lower", "upper", "work", "lab"):
        (tmp_path / part).mkdir()
    mounts("-t", "tmpfs", "none", str(tmp_path / "upper"))
    for part in ("upper", "work"):
        (tmp_path / "upper" / part).mkdir()
    wiki(tmp_path / "lower")
    (tmp_path / "lower/apps/wiki/empty").mkdir()
    layers = f"lowerdir={tmp_path}/lower,upperdir={tmp_path}/upper/upper,workdir={tmp_path}/upper/work,redirect_dir=off"
    mounts("-t", "overlay", "none", "-o", layers, str(tmp_path / "lab"))
    carrier = Carrier(image, f"data-{testbed_run.run_id}", tmp_path / "lab")
    try:
        place = Place(DataThere("nas", carrier.way), tmp_path / "lab")
        before = place.tree()
        for folder in ("apps/wiki", "apps/wiki/empty"):
            assert place.code(partial(place.data.move, folder, "apps/moved")) == "other_file_system"
        assert place.tree() == before
        assert (tmp_path / "lab/apps/wiki/page").read_text() == "text"
    finally:
        carrier.close()


def test_a_disk_that_is_read_only_is_told_as_here(
    image: str, tmp_path: Path, testbed_run: Scratch, mounts: Callable[..., None]
) -> None:
    root = tmp_path / "lab"
    wiki(root)
    mounts("--bind", str(root), str(root))
    mounts("-o", "remount,bind,ro", str(root))
    carrier = Carrier(image, f"data-{testbed_run.run_id}", root)
    try:
        for data in (LabData(root), DataThere("nas", carrier.way)):
            place = Place(data, root)
            assert place.code(partial(data.move, "apps/wiki", "apps/moved")) == "read_only"
            assert place.code(partial(data.give, "apps/wiki", *SOMEBODY)) == "read_only"
            assert data.identity("apps/wiki")
    finally:
        carrier.close()


def test_a_name_that_is_no_text_is_refused(place: Place) -> None:
    (place.root / "apps" / os.fsdecode(b"\xff")).touch()
    seen = place.data.strangers("apps", *SOMEBODY, 99).found
    assert os.fsdecode(b"apps/\xff") in [o.path for o in seen]
    assert place.code(lambda: place.data.identity(os.fsdecode(b"apps/\xff"))) == "path_refused"


def test_a_run_whose_connection_broke_comes_to_nothing_once_somebody_asked(
    carrier: Carrier, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It waits for its turn while its client dies, as one does that is on its way through a network that hangs."""
    for _ in range(6):
        holder = subprocess.Popen(
            ["docker", "exec", carrier.name, "sh", "-c", "exec 9>>/tmp/homelab-data; flock 9; sleep 600"]
        )
        try:
            wait_until(lambda: carrier.inside("flock -n /tmp/homelab-data echo free") == "", "the lock", within=10)
            monkeypatch.setattr(data_there, "MOVE_SECONDS", 0.6)
            assert place.code(lambda: place.data.move("apps/wiki", "apps/moved")) == "host_lost"
            with ThreadPoolExecutor(1) as pool:
                answer = pool.submit(place.data.identity, "apps/wiki")
                time.sleep(0.5)
                carrier.inside(END_SLEEP)
                found = answer.result(timeout=20)
        finally:
            carrier.inside(END_SLEEP)
            holder.wait(timeout=20)
        carrier.at_rest()
        # Whoever had its turn first: what was heard is how it stays.
        assert (found is not None) == (place.root / "apps/wiki").exists()
        assert (place.root / "apps/wiki").exists() != (place.root / "apps/moved").exists()
        with suppress(FileNotFoundError):
            (place.root / "apps/moved").rename(place.root / "apps/wiki")


def test_a_run_that_comes_late_does_nothing_and_one_that_waits_for_its_answer_goes_again(
    carrier: Carrier, place: Place
) -> None:
    late = DataThere("nas", carrier.way)
    assert late.identity("apps/wiki")
    words = ["/place", str(time.time_ns() // 1000), "apps/wiki", "apps/late"]
    assert place.data.identity("apps/wiki")
    said = subprocess.run(
        ["docker", "exec", carrier.name, "sh", "-c", MOVE_SH, "sh", *words], capture_output=True, check=True
    )
    assert said.stdout.startswith(b"no\0late\0") and (place.root / "apps/wiki").exists()
    # A clock that was set back is no trouble to who is there to hear of it.
    carrier.inside(f"echo {time.time_ns() // 1000 + 10**12} >/tmp/homelab-data")
    late.move("apps/wiki", "apps/moved")
    assert (place.root / "apps/moved").exists()


def test_a_client_that_is_killed_at_any_moment_leaves_data_on_one_side(carrier: Carrier, place: Place) -> None:
    identity, cut = place.data.identity("apps/wiki"), 0
    here, away = "apps/wiki", ".homelab/trash/20260101-000000-x@nas/apps/wiki"
    for number in range(24):
        try:
            Killed(carrier, 0.01 * number).move(here, away)
        except HomelabError:
            cut += 1
        sides = [place.data.identity(here), place.data.identity(away)]
        assert sorted(s or "" for s in sides) == ["", identity]
        carrier.at_rest()
        assert [place.data.identity(here), place.data.identity(away)] == sides
        if sides[1]:
            here, away = away, here
    assert cut > 2
    assert [p for p in place.tree() if p.endswith("page")] == [f"{here}/page"]


def test_who_cannot_be_reached_is_told_as_such(carrier: Carrier, place: Place) -> None:
    asks: list[Callable[[], object]] = [
        lambda: place.data.identity("apps/wiki"),
        lambda: place.data.move("apps/wiki", "apps/moved"),
        lambda: place.data.movable("apps/wiki", "apps/moved"),
        lambda: place.data.trash("20260201-000000"),
    ]
    silent = DataThere(
        "nas", lambda fresh: Way(("docker", "exec", carrier.name), {**os.environ, "DOCKER_HOST": "tcp://127.0.0.1:9"})
    )
    for act, back in (("pause", "unpause"), ("stop", "start")):
        docker(act, *(["--time=0"] if act == "stop" else []), carrier.name)
        assert [place.code(ask) for ask in asks] == ["backup_not_running"] * 4, act
        docker(back, carrier.name)
    assert place.code(lambda: silent.identity("apps/wiki")) == "host_silent"
    docker("rm", "--force", carrier.name)
    assert [place.code(ask) for ask in asks] == ["backup_not_running"] * 4
    nowhere = DataThere("nas", lambda fresh: Way(("/nonexistent/docker",)))
    assert place.code(lambda: nowhere.identity("apps/wiki")) == "engine_unavailable"
    assert (place.root / "apps/wiki/page").exists()
    for ask in asks:
        with pytest.raises(EngineUnavailable):
            ask()
