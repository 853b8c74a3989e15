"""The lab's folder on a real file system."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homelab_mcp.adapters.files import MAX_BYTES, LabFiles
from homelab_mcp.model.errors import InvalidInput, StorageFailed


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "lab" / "media").mkdir(parents=True)
    return tmp_path / "lab"


def code(work: object, *args: object) -> str:
    with pytest.raises(InvalidInput) as caught:
        work(*args)  # type: ignore[operator]
    return caught.value.code


def test_text_goes_in_and_comes_out_unchanged(root: Path) -> None:
    files = LabFiles(root)
    for text in ("", "a\r\nb\n", "\ufeffbom", "ü\u2028x", "no end"):
        files.write_atomic("media/x", text, 0o600)
        assert files.read("media/x") == text
    assert files.read("media/missing") is None
    assert files.read("nowhere/at/all") is None


@pytest.mark.parametrize(
    "bad", ["../x", "/etc/passwd", "media/../../x", "media//x", "./x", "", "a\0b", "a\nb", "a/" * 600 + "x"]
)
def test_a_path_that_leads_elsewhere_is_refused(root: Path, bad: str) -> None:
    files = LabFiles(root)
    assert code(files.read, bad) == "path_refused"
    assert code(files.write_atomic, bad, "x", 0o644) == "path_refused"
    assert code(files.remove, bad) == "path_refused"


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="./\\ab\0\n~$ \u202e", min_size=1, max_size=20))
def test_no_generated_name_writes_outside(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    base = tmp_path_factory.getbasetemp() / "generated"
    (base / "lab").mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(InvalidInput, IsADirectoryError):
        LabFiles(base / "lab").write_atomic(name, "x", 0o644)
    assert [p.name for p in base.iterdir()] == ["lab"]


def test_ten_thousand_names_lead_nowhere_outside(tmp_path: Path) -> None:
    """Pieces that mean something to a path, put together by chance; every way in that takes a path."""
    chance = random.Random(7)
    odd = ["\u202e", "\u2215", "\uff0e", "%2e", "link", "x" * 201]
    pieces = ["..", ".", "/", "//", "a", "b", "\\", "~", "\0", "\n", " ", *odd]
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "a").write_text("outside")
    (tmp_path / "lab" / "a").mkdir(parents=True)
    (tmp_path / "lab" / "link").symlink_to(outside)
    files = LabFiles(tmp_path / "lab")
    refused = 0
    for _ in range(10_000):
        name = "".join(chance.choice(pieces) for _ in range(chance.randint(1, 7)))
        try:
            found = files.read(name)
            files.names(name)
            files.mode(name)
            files.write_atomic(name, "inside", 0o644)
            files.make_folder(name)
            files.remove(name)
        except (InvalidInput, StorageFailed, IsADirectoryError):
            refused += 1
            continue
        assert found in (None, "inside"), name
    assert refused > 5_000
    assert sorted(p.name for p in tmp_path.iterdir()) == ["lab", "outside"]
    assert [(p.name, p.read_text()) for p in outside.iterdir()] == [("a", "outside")]


def test_symbolic_links_are_refused_at_every_depth(root: Path) -> None:
    outside = root.parent / "outside"
    outside.mkdir()
    (outside / "secret").write_text("secret")
    (root / "link").symlink_to(outside)
    (root / "media" / "file").symlink_to(outside / "secret")
    files = LabFiles(root)
    for path in ("link/secret", "media/file", "link/new"):
        assert code(files.read, path) == "symlink_refused"
        assert code(files.write_atomic, path, "x", 0o644) == "symlink_refused"
    assert code(files.make_folder, "link/below") == "symlink_refused"
    assert (outside / "secret").read_text() == "secret"
    assert sorted(p.name for p in outside.iterdir()) == ["secret"]


def test_a_folder_swapped_for_a_link_while_writing_leads_nowhere(root: Path) -> None:
    outside = root.parent / "outside"
    outside.mkdir()
    stop = threading.Event()

    def swap() -> None:
        # The writer may make the folder anew in the moment that it is away, so any of these may fail.
        while not stop.is_set():
            with contextlib.suppress(OSError):
                (root / "media").rename(root / "aside")
            with contextlib.suppress(OSError):
                (root / "media").symlink_to(outside)
                swapped.append(1)
            with contextlib.suppress(OSError):
                (root / "media").unlink()
            shutil.rmtree(root / "media", ignore_errors=True)
            with contextlib.suppress(OSError):
                (root / "aside").rename(root / "media")

    swapped: list[int] = []
    thread = threading.Thread(target=swap)
    thread.start()
    refused = written = 0
    try:
        for _ in range(1000):
            try:
                LabFiles(root).write_atomic("media/x", "x", 0o644)
                written += 1
            except (InvalidInput, OSError):
                refused += 1
    finally:
        stop.set()
        thread.join()
    assert list(outside.iterdir()) == []
    assert (written + refused, bool(swapped), refused > 0) == (1000, True, True)


def test_a_file_keeps_its_mode_and_owner_and_a_new_one_gets_its_folders(root: Path) -> None:
    files = LabFiles(root)
    old = root / "media" / "old"
    old.write_text("a")
    old.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(old, 1234, 2345)
        os.chown(root / "media", 1111, 1112)
    before = old.stat()
    files.write_atomic("media/old", "b", 0o600)
    after = old.stat()
    assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, before.st_uid, before.st_gid)
    files.write_atomic("media/sub/new", "b", 0o600)
    new, folder = (root / "media/sub/new").stat(), (root / "media").stat()
    assert (new.st_mode & 0o777, new.st_uid, new.st_gid) == (0o600, folder.st_uid, folder.st_gid)


def test_folders_that_are_made_belong_to_the_labs_user(root: Path) -> None:
    owner = (1500, 1501) if os.geteuid() == 0 else (os.geteuid(), os.getegid())
    files = LabFiles(root, owner)
    assert files.make_folder("media/app/data")
    assert not files.make_folder("media/app/data")
    found = (root / "media/app/data").stat()
    assert (found.st_uid, found.st_gid, found.st_mode & 0o777) == (*owner, 0o755)
    files.remove_empty_folders(["media/app", "media/app/data", "media/none"])
    assert not (root / "media/app").exists()
    (root / "media/full").mkdir()
    (root / "media/full/x").touch()
    files.remove_empty_folders(["media/full"])
    assert (root / "media/full").exists()


def test_what_is_too_large_binary_or_no_file_is_refused(root: Path) -> None:
    files = LabFiles(root)
    (root / "media/big").write_bytes(b"x" * (MAX_BYTES + 1))
    (root / "media/binary").write_bytes(b"\xff\xfe")
    os.mkfifo(root / "media/pipe")
    assert code(files.read, "media/big") == "file_too_large"
    assert code(files.write_atomic, "media/y", "x" * (MAX_BYTES + 1), 0o644) == "file_too_large"
    assert code(files.read, "media/binary") == "not_utf8"
    assert code(files.read, "media/pipe") == "invalid_input"
    assert code(files.write_atomic, "media/pipe", "x", 0o644) == "invalid_input"


def test_a_write_that_fails_leaves_the_old_file_and_no_temp(root: Path) -> None:
    files = LabFiles(root)
    files.write_atomic("media/x", "old", 0o644)
    with pytest.raises(UnicodeEncodeError):
        files.write_atomic("media/x", "\ud800", 0o644)
    assert [p.name for p in (root / "media").iterdir()] == ["x"]
    assert files.read("media/x") == "old"


def test_stacks_are_folders_with_a_compose_file(root: Path) -> None:
    for path in (
        "media/docker-compose.yml",
        "media/compose.yml",
        "web/compose.yaml",
        ".hidden/compose.yaml",
        "Bad Name/compose.yaml",
    ):
        (root / path).parent.mkdir(exist_ok=True)
        (root / path).touch()
    (root / "empty").mkdir()
    (root / "compose.yaml").touch()
    (root / "linked").symlink_to(root / "web")
    assert LabFiles(root).stack_folders() == [("media", "media/compose.yml"), ("web", "web/compose.yaml")]


def test_only_our_own_temp_files_are_swept(root: Path) -> None:
    ours = root / "media" / ".compose.yaml.0123456789ab.homelab-tmp"
    theirs = root / "media" / "notes.homelab-tmp"
    for path in (ours, theirs):
        path.touch()
    assert LabFiles(root).sweep_temporary() == ["media/.compose.yaml.0123456789ab.homelab-tmp"]
    assert theirs.exists()


def test_a_root_that_is_not_there_yet_reads_as_empty_and_can_be_made(tmp_path: Path) -> None:
    files = LabFiles(tmp_path / "new" / "lab")
    assert files.read("homelab.yaml") is None
    assert files.stack_folders() == []
    assert files.make_folder("")
    assert not files.make_folder("")
    files.write_atomic("homelab.yaml", "x", 0o644)
    assert files.read("homelab.yaml") == "x"


def test_a_temp_file_of_ours_is_swept_once_its_writer_is_gone_and_not_before(tmp_path: Path) -> None:
    import fcntl
    import os

    from homelab_mcp.adapters.private import private_folder

    folder = private_folder(tmp_path, "plans")
    left, live = folder / ".status.json.0123456789ab.homelab-tmp", folder / ".status.json.ba9876543210.homelab-tmp"
    for path in (left, live):
        path.write_text("half")
    fd = os.open(live, os.O_RDONLY)
    fcntl.flock(fd, fcntl.LOCK_EX)
    assert LabFiles(tmp_path).sweep_temporary() == [f".homelab/plans/{left.name}"]
    os.close(fd)
    assert LabFiles(tmp_path).sweep_temporary() == [f".homelab/plans/{live.name}"]
