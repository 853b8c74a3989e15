"""The documentation's pictures: the demo at a terminal, and the approval page in a real Chromium.

Nothing of the machine it runs on is in them: names, paths and addresses are the demo's own.
"""

from __future__ import annotations

import argparse
import base64
import os
import re
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from testbed.docker_engine import TestbedError, require_docker
from testbed.recording import Piece, as_cast, draw, record, without_waiting

ROOT = Path(__file__).parents[1]
IMAGES = ROOT / "docs" / "images"
LARGEST = 150_000
"""Bytes of a picture: the wheel carries them, and pages are to load fast."""

SESSION = "A recorded terminal session: the demo of homelab-mcp, from plans and their diffs to the undo"
HEIGHT = 760
VIEWS = (
    ("plan", 1280, False),
    ("plan", 1280, True),
    ("plan", 360, False),
    ("plan", 360, True),
    ("answer", 360, False),
    ("answer", 360, True),
)
PARTS = {
    "plan": "documentElement.scrollIntoView()",
    "answer": "getElementById('b-approve').scrollIntoView({block: 'center'})",
}


def main() -> int:
    """Make what is asked for; 0 when all of it was made."""
    parser = argparse.ArgumentParser(prog="script/docs-shots", description=__doc__)
    parser.add_argument("what", nargs="*", help="session, pages; without one both")
    parser.add_argument("--into", type=Path, default=IMAGES, help="the folder they go to (default: docs/images)")
    parser.add_argument("--no-docker", action="store_true", help="record the demo of files only")
    options = parser.parse_args()
    wanted = options.what or ["session", "pages"]
    if set(wanted) - {"session", "pages"}:
        parser.error("session or pages")
    options.into.mkdir(parents=True, exist_ok=True)
    try:
        made = session(options.into, no_docker=options.no_docker) if "session" in wanted else []
        made += pages(options.into) if "pages" in wanted else []
        for path in made:
            fits(path)
    except (TestbedError, FileNotFoundError, ValueError) as error:
        sys.stderr.write(f"docs-shots: {error}\n")
        return 1
    for path in made:
        print(f"{path.name}: {path.stat().st_size:,} bytes")
    return 0


def session(folder: Path, *, no_docker: bool = False) -> list[Path]:
    """The demo, with a person's typed yes. Raises TestbedError without Docker, ValueError where a step was not true."""
    options = ["--no-docker"] if no_docker else []
    if not no_docker:
        require_docker()
    with tempfile.TemporaryDirectory() as own:
        environment = {**os.environ, "TMPDIR": own, "PYTHONUNBUFFERED": "1"}
        pieces, code = record([sys.executable, "-m", "testbed.demo", *options], environment, types_the_name)
        if code:
            raise ValueError("the demo failed:\n" + "".join(piece.text for piece in pieces)[-3000:])
        typed = " ".join(["$ script/demo", *options])
        shown = [Piece(0.0, f"{typed}\n"), *(Piece(p.at, anonymous(p.text, own)) for p in pieces)]
    cast, picture = folder / "demo.cast", folder / "demo.svg"
    cast.write_text(as_cast(without_waiting(shown), SESSION), "utf-8")
    draw(cast, picture, SESSION)
    return [cast, picture]


def types_the_name(screen: str) -> str:
    """The person of the demo: types the name that the dialog asks for."""
    screen = re.sub(r"\x1b\[[\d;]*m", "", screen)
    asked = re.findall(r"type: (\S+)", screen)
    return f"{asked[-1]}\n" if asked and screen.endswith("(empty declines): ") else ""


def anonymous(text: str, own: str) -> str:
    """Without the folder that the lab was in."""
    return text.replace("\r", "").replace(own, "/tmp")


def pages(folder: Path) -> list[Path]:
    """The approval page with a plan that waits, wide and narrow, light and dark. FileNotFoundError: no Chromium."""
    # The tests' own: a browser and a lab as tests/e2e drive them.
    from tests.e2e.browser import ENTER, chromium
    from tests.e2e.server import PIN, LabOnDisk
    from tests.e2e.test_page import ALONE, page

    made = []
    with tempfile.TemporaryDirectory() as own:
        os.environ["XDG_CONFIG_HOME"] = own
        lab = LabOnDisk(Path(own) / "stacks", {"HOMELAB_FILES_ONLY": "1", "USER": "you"})
        lab.run("init", "--domain", "example.org", "--acme-challenge", "tls", "--pin-file", "-", stdin=f"{PIN}\n")
        for service in ("traefik", "authelia"):
            lab.approve(lab.json("add", service, "--plan-only", code=3)["plan_id"], "--apply")
        plan = lab.json("add", "uptime-kuma", "--stack", "monitoring", "--plan-only", code=3)
        with chromium(Path(own)) as browser, page(lab, *ALONE) as url:
            browser.look(width=1280)
            browser.open(url)
            browser.keys(PIN + ENTER)
            browser.wait("Log out")
            browser.open(f"{url}plans/{plan['plan_id']}")
            browser.wait("Why this risk")
            browser.hide_scrollbars()
            for part, width, dark in VIEWS:
                browser.look(width=width, height=HEIGHT, dark=dark)
                browser.script(f"document.{PARTS[part]}")
                path = folder / f"approval-{part}-{width}-{'dark' if dark else 'light'}.png"
                # What fits the window: a whole plan is a very long picture.
                path.write_bytes(base64.b64decode(browser.ask("GET", "/screenshot")))
                made.append(path)
    return made


def fits(path: Path) -> None:
    """Raise ValueError for a file that is too large, or has something of this machine in it."""
    data = path.read_bytes()
    if len(data) > LARGEST:
        raise ValueError(f"{path.name} has {len(data):,} bytes; {LARGEST:,} at most")
    if path.suffix != ".png":
        for word in of_this_machine():
            if word in data.decode("utf-8"):
                raise ValueError(f"{path.name} holds '{word}', which is this machine's")


def of_this_machine() -> Iterable[str]:
    """Words that no picture may have: host name, home, checkout."""
    host = os.uname().nodename
    home = str(Path.home())
    found = [str(ROOT), f"{home}/"] + ([host] if len(host) > 3 else [])
    return [word for word in found if not re.fullmatch(r"/|localhost", word)]


if __name__ == "__main__":
    raise SystemExit(main())
