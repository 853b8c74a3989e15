"""What holds of services' data wherever it is: run on this machine's folders, and through a container on an engine."""

import contextlib
import os
import stat
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from homelab_mcp.model.errors import HomelabError, StorageFailed
from homelab_mcp.ports import Data

SOMEBODY = (4321, 4322)
HOSTILE = (
    "-rf",
    "--",
    "-n",
    "a b",
    " ",
    "it's",
    'say "hi"',
    "$(touch pwned)",
    "`touch pwned`",
    "a;touch pwned",
    "&",
    "|",
    ">x",
    "*",
    "?[x]",
    "{a,b}",
    "\\",
    "\\n\\0",
    "%s%n",
    "~",
    "#",
    "!",
    "...",
    ".hidden",
    "=",
    "(",
    "größe",
    "🗂",
    "x" * 200,
)


@dataclass
class Place:
    """Data and the folder that it is of, as this machine sees it. ``suffix`` is what names in the trash end with."""

    data: Data
    root: Path
    suffix: str = ""

    def code(self, ask: Callable[[], object]) -> str:
        with pytest.raises(HomelabError) as caught:
            ask()
        assert caught.value.hint, caught.value
        return caught.value.code

    def tree(self) -> list[str]:
        return sorted(str(p.relative_to(self.root)) for p in self.root.rglob("*"))


def wiki(root: Path) -> None:
    """A lab with one service's data."""
    folder = root / "apps" / "wiki"
    folder.mkdir(parents=True)
    (folder / "page").write_text("text")


class DataSemantics:
    """Each test wants a fixture ``place`` of a lab that ``wiki`` made."""

    def test_a_folder_keeps_its_identity_and_bytes_where_it_goes(self, place: Place) -> None:
        data, root = place.data, place.root
        identity = data.identity("apps/wiki")
        assert data.movable("apps/wiki", ".homelab/trash/1/apps/wiki")
        assert not data.movable("apps/none", "apps/x")
        assert not (root / ".homelab").exists()
        data.move("apps/wiki", ".homelab/trash/1/apps/wiki")
        assert data.identity("apps/wiki") is None
        found = (root / ".homelab/trash/1/apps/wiki").stat()
        assert data.identity(".homelab/trash/1/apps/wiki") == identity == f"{found.st_dev}:{found.st_ino}"
        assert (root / ".homelab/trash/1/apps/wiki/page").read_text() == "text"
        data.move(".homelab/trash/1/apps/wiki/page", "apps/page")
        assert (root / "apps/page").read_text() == "text"

    def test_folders_that_are_made_belong_to_whom_their_parent_does(self, place: Place) -> None:
        if os.getuid() == 0:
            os.chown(place.root / "apps", *SOMEBODY)
        place.data.move("apps/wiki/page", "apps/a/b/page")
        for made in ("apps/a", "apps/a/b"):
            seen, parent = (place.root / made).stat(), (place.root / "apps").stat()
            assert (seen.st_uid, seen.st_gid, stat.S_IMODE(seen.st_mode)) == (parent.st_uid, parent.st_gid, 0o755)

    def test_nothing_is_put_over_something(self, place: Place) -> None:
        root = place.root
        (root / "docs" / "wiki").mkdir(parents=True)
        (root / "docs" / "file").write_text("mine")
        (root / "docs" / "empty").mkdir()
        before = place.tree()
        for source, target, code in [
            ("apps/wiki", "docs/wiki", "data_in_the_way"),
            ("apps/wiki", "docs/empty", "data_in_the_way"),
            ("apps/wiki/page", "docs/file", "data_in_the_way"),
            ("apps/wiki/page", "docs/empty", "data_in_the_way"),
            ("apps/wiki", "apps/wiki", "data_in_the_way"),
            ("apps/none", "docs/x", "data_missing"),
            ("apps/none/deep", "docs/x", "data_missing"),
            ("apps/wiki", "docs/file/x", "invalid_input"),
            ("apps/wiki/page/x", "docs/x", "symlink_refused"),
            ("apps/wiki", "../x", "path_refused"),
            ("../x", "docs/x", "path_refused"),
            ("/etc/passwd", "docs/x", "path_refused"),
            ("", "docs/x", "path_refused"),
            ("apps//wiki", "docs/x", "path_refused"),
            ("apps/wiki", "docs/./x", "path_refused"),
            ("apps/wiki", "docs/new\nline", "path_refused"),
        ]:
            assert place.code(partial(place.data.move, source, target)) == code, (source, target)
        assert place.tree() == before
        assert (root / "docs/file").read_text() == "mine"
        assert place.code(lambda: place.data.move("apps/wiki", "apps/wiki/in/itself")) == "storage_failed"
        assert (root / "apps/wiki/page").read_text() == "text"

    def test_no_link_is_followed_wherever_it_stands(self, place: Place, tmp_path: Path) -> None:
        root, data = place.root, place.data
        outside = tmp_path / "outside"
        (outside / "wiki").mkdir(parents=True)
        (outside / "wiki" / "page").write_text("secret")
        (root / "link").symlink_to(outside)
        (root / "apps" / "in").symlink_to(root / "apps" / "wiki")
        (root / "apps" / "nowhere").symlink_to("/nonexistent")
        for path in (
            "link",
            "link/wiki",
            "link/wiki/page",
            "apps/in",
            "apps/in/page",
            "apps/nowhere",
            "apps/nowhere/x",
        ):
            for ask in (
                partial(data.identity, path),
                partial(data.owner, path),
                partial(data.give, path, *SOMEBODY),
                partial(data.is_database, path),
                partial(data.logs, path),
                partial(data.strangers, path, *SOMEBODY, 1),
                partial(data.movable, path, "apps/x"),
                partial(data.move, path, "apps/x"),
                partial(data.move, "apps/wiki", path),
            ):
                assert place.code(ask) == "symlink_refused", path
        assert (outside / "wiki" / "page").read_text() == "secret"
        assert (outside / "wiki").stat().st_uid == os.getuid()
        assert (root / "apps/wiki/page").exists() and not (root / "apps/x").exists()

    def test_names_are_nothing_but_names(self, place: Place) -> None:
        root, data = place.root, place.data
        for name in HOSTILE:
            file = root / "apps" / name / name / f"{name[:150]}.db"
            file.parent.mkdir(parents=True)
            file.write_text("text")
            file.with_name(f"{name[:150]}.db-wal").touch()
            path = str(file.relative_to(root))
            assert data.identity(path), name
            assert data.owner(path) == (os.getuid(), os.getgid()), name
            assert data.logs(path) == ["-wal"], name
            seen = data.strangers(f"apps/{name}", *SOMEBODY, 9)
            assert [o.path for o in seen.found] == [
                f"apps/{name}",
                f"apps/{name}/{name}",
                path,
                f"{path}-wal",
            ], name
            assert data.movable(f"apps/{name}", f"-x/{name}/{name}"), name
            data.move(f"apps/{name}", f"-x/{name}/{name}")
            assert (root / "-x" / name / name / name / file.name).read_text() == "text", name
            assert data.identity(f"apps/{name}") is None, name
            if os.getuid() == 0:
                data.give(f"-x/{name}/{name}", *SOMEBODY)
                assert data.owner(f"-x/{name}/{name}") == SOMEBODY, name
        assert not [p for p in place.tree() if p.endswith("/pwned")]

    def test_strangers_are_counted_without_links_and_hard_links(self, place: Place, tmp_path: Path) -> None:
        data, folder = place.data, place.root / "apps" / "wiki"
        outside = tmp_path / "outside"
        outside.mkdir()
        (outside / "secret").write_text("x")
        (folder / "link").symlink_to(outside)
        (place.root / "twin").write_text("x")
        (folder / "twin").hardlink_to(place.root / "twin")
        (folder / "sub").mkdir()
        (folder / "sub" / "file").write_text("12345")
        (folder / "sub" / "two\nlines").write_text("")

        seen = data.strangers("apps/wiki", *SOMEBODY, 2)
        assert ([o.path for o in seen.found], seen.more, seen.left) == (["apps/wiki", "apps/wiki/page"], 3, 2)
        everyone = data.strangers("apps/wiki", *SOMEBODY, 100)
        assert [(o.path, o.uid, o.gid) for o in everyone.found][2:] == [
            (f"apps/wiki/{name}", os.getuid(), os.getgid()) for name in ("sub", "sub/file", "sub/two\nlines")
        ]
        assert data.strangers("apps/none", *SOMEBODY, 2).found == ()
        assert [o.path for o in data.strangers("apps/wiki/page", *SOMEBODY, 2).found] == ["apps/wiki/page"]
        if os.getuid() == 0:
            for one in everyone.found:
                if "\n" not in one.path:
                    data.give(one.path, *SOMEBODY)
            for not_ours in ("twin", "none"):
                data.give(f"apps/wiki/{not_ours}", *SOMEBODY)
            assert data.owner("apps/wiki/sub/file") == SOMEBODY
            assert (place.root / "twin").stat().st_uid == (outside / "secret").stat().st_uid == 0
            left = data.strangers("apps/wiki", *SOMEBODY, 100)
            assert ([o.path for o in left.found], left.left) == (["apps/wiki/sub/two\nlines"], 2)

    def test_many_strangers_are_all_told(self, place: Place) -> None:
        folder = place.root / "apps" / "wiki"
        for n in range(3000):
            (folder / f"{n:04}-{'x' * 60}").touch()
        seen = place.data.strangers("apps/wiki", *SOMEBODY, 10)
        assert (len(seen.found), seen.more) == (10, 3002 - 10)
        assert [o.path for o in seen.found][1][:16] == "apps/wiki/0000-x"

    def test_the_trash_is_emptied_by_age_and_never_past_a_link(self, place: Place, tmp_path: Path) -> None:
        data, root = place.data, place.root
        outside = tmp_path / "outside"
        outside.mkdir()
        (outside / "kept").write_text("x")
        assert data.trash("20260201-000000") == []
        trash, old, new = root / ".homelab/trash", f"20260101-000000-old{place.suffix}", f"20260301-0-n{place.suffix}"
        for name in (old, new, "mine", f"20260301-000000-new{place.suffix}"):
            (trash / name / "apps/wiki").mkdir(parents=True)
        inside = trash / old / "apps"
        (inside / "link").symlink_to(outside)
        for name in (*HOSTILE, ".hid", "..two", "new\nline", "-"):
            (inside / name).mkdir()
            (inside / name / name).write_text("x")
        if os.getuid() == 0:
            (inside / "locked").mkdir(mode=0o000)

        assert data.trash("20260201-000000") == [old]
        for name in (old, new, "mine", "../../apps"):
            with contextlib.suppress(HomelabError):
                data.drop_trash(name)
        assert sorted(p.name for p in trash.iterdir()) == sorted([new, "mine", f"20260301-000000-new{place.suffix}"])
        assert (outside / "kept").exists() and data.identity("apps/wiki")
        with pytest.raises(StorageFailed):
            data.drop_trash(old)
        (trash / old).symlink_to(outside)
        with pytest.raises(StorageFailed):
            data.drop_trash(old)
        assert (outside / "kept").exists()

    def test_the_logs_of_a_database_are_known_by_what_it_begins_with_or_is_called(self, place: Place) -> None:
        data, folder = place.data, place.root / "apps/wiki"
        for name, content in (
            ("store", b"SQLite format 3\0..."),
            ("short", b"SQLite format 3"),
            ("other", b"SQLite format 3\1..."),
            ("secret.db", b"\x8f\x03"),
            ("page", b"text"),
        ):
            (folder / name).write_bytes(content)
            (folder / f"{name}-wal").touch()
            (folder / f"{name}-journal").mkdir()
        (folder / "folder.db").mkdir()
        os.mkfifo(folder / "pipe.db")
        names = ("store", "secret.db", "page", "none.db", "short", "other", "folder.db", "pipe.db")
        assert [data.logs(f"apps/wiki/{name}") for name in names] == [["-wal"], ["-wal"], [], [], [], [], [], []]
        assert [data.is_database(f"apps/wiki/{name}") for name in names] == [True, True, *[False] * 6]
        assert data.logs("apps/wiki") == []

    def test_who_puts_a_link_in_the_place_of_a_folder_meanwhile_gains_nothing(
        self, place: Place, tmp_path: Path
    ) -> None:
        root, data = place.root, place.data
        outside = tmp_path / "outside"
        (outside / "in").mkdir(parents=True)
        (outside / "in" / "secret").write_text("x")
        old = f"20260101-000000-old{place.suffix}"
        evil, aside = root / "apps" / "evil", root / "apps" / "aside"
        bad, hidden = root / ".homelab/trash" / old / "in", root / ".homelab/trash" / old / ".in"
        for folder in (evil, bad):
            (folder / "in").mkdir(parents=True)
        with _swapping((evil, aside, outside), (bad, hidden, outside / "in")):
            for _ in range(25):
                for ask in (
                    partial(data.give, "apps/evil/in/secret", *SOMEBODY),
                    partial(data.give, "apps/evil/in", *SOMEBODY),
                    partial(data.move, "apps/evil/in/secret", "apps/stolen"),
                    partial(data.move, "apps/wiki", "apps/evil/in/wiki"),
                    partial(data.move, "apps/evil/in/wiki", "apps/wiki"),
                    partial(data.drop_trash, old),
                ):
                    with contextlib.suppress(HomelabError):
                        ask()
        found = sorted(str(p.relative_to(outside)) for p in outside.rglob("*"))
        assert found == ["in", "in/secret"]
        assert (outside / "in/secret").stat().st_uid == (outside / "in").stat().st_uid == os.getuid()
        assert not (root / "apps/stolen").exists()


@contextlib.contextmanager
def _swapping(*places: tuple[Path, Path, Path]) -> Iterator[None]:
    """Meanwhile each folder is now itself, now a link to somewhere."""
    done = threading.Event()

    def swap() -> None:
        while not done.is_set():
            for folder, aside, outside in places:
                with contextlib.suppress(OSError):
                    folder.rename(aside)
                    folder.symlink_to(outside)
            for folder, aside, _ in places:
                with contextlib.suppress(OSError):
                    if folder.is_symlink():
                        folder.unlink()
                    aside.rename(folder)

    thread = threading.Thread(target=swap, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
