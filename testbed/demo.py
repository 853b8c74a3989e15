"""The main job in a throw-away lab: an AI asks, a person says yes, the service goes live, and can be taken back.

Real here: the server and its client over stdio, Docker, Compose, Traefik, the ACME certificate authority, every
certificate and request. Stand-ins, where the image is not on this machine: Authelia, Uptime Kuma and the failing
change (a small web server under their names; homelab-mcp does not know the difference).
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from testbed.demo_agent import play_agent
from testbed.demo_lab import DemoLab, Failed, cli, say, step
from testbed.docker_engine import Scratch, TestbedError, require_docker


def main() -> int:
    """Play the demo; 0 when every step was true."""
    parser = argparse.ArgumentParser(prog="script/demo", description=__doc__)
    parser.add_argument("--yes", action="store_true", help="answer for the person")
    parser.add_argument("--keep", action="store_true", help="leave the lab running")
    parser.add_argument("--no-docker", action="store_true", help="files only")
    options = parser.parse_args()
    begun = time.monotonic()
    try:
        reason = "--no-docker was given" if options.no_docker else _docker_missing()
        if reason:
            files_only(reason, keep=options.keep)
        else:
            whole(yes=options.yes, keep=options.keep)
    except (Failed, TestbedError) as error:
        say(f"\nFAILED: {error}", "31")
        return 1
    say(f"\nEvery step was true. {time.monotonic() - begun:.0f} s.", "32")
    return 0


def whole(*, yes: bool, keep: bool) -> None:
    """The demo on a real engine."""
    with ExitStack() as stack:
        scratch = stack.enter_context(Scratch(keep=keep))
        folder = stack.enter_context(_folder(keep=keep))
        lab = DemoLab(folder, scratch)
        step("A person sets up the lab: Traefik with certificates from a local ACME CA, and sign-on")
        lab.prepare_images()
        lab.set_up()
        stack.callback(lab.report_kept if keep else lab.tear_down)
        lab.add_by_hand("traefik")
        lab.add_by_hand("authelia")
        asyncio.run(play_agent(lab, yes=yes))


def files_only(reason: str, *, keep: bool) -> None:
    """What can be shown without Docker: plan, diff, approval, files, git, undo."""
    say(f"Docker is not used: {reason.rstrip('.')}.", "33")
    with _folder(keep=keep) as folder:
        lab = DemoLab(folder, None)
        step("A lab on disk")
        lab.set_up()
        step("Plan, diff, a person's yes, files and git")
        lab.add_by_hand("traefik")
        lab.add_by_hand("authelia")
        lab.add_by_hand("uptime-kuma", stack=lab.stack("monitoring"), show=True)
        compose = lab.root / lab.stack("monitoring") / "compose.yaml"
        if "uptime-kuma" not in compose.read_text(encoding="utf-8"):
            raise Failed("the service is not in the compose file")
        history = cli(lab, "history", "--json")
        say(f"  git and journal: {len(history['history'])} applies recorded")
        checked = cli(lab, "validate", "--json", allowed=(0, 1))
        errors = [f for f in checked["findings"] if f["severity"] == "error"]
        if errors:
            raise Failed(f"the linter finds errors in what was written: {errors}")
        say("  the linter finds no error in what was written")
        step("Undo")
        cli_plan = cli(lab, "remove", "uptime-kuma", "--json", "--plan-only", allowed=(3,))
        lab.approve_and_apply(cli_plan["plan_id"])
        if compose.exists():
            raise Failed("the compose file is still there after the removal")
        say("  removed; the stack's file is gone")
    say(
        "\nNot done, because there was no Docker: no container was started, nothing was reached over HTTPS, "
        "nothing was verified or rolled back.",
        "33",
    )


def _docker_missing() -> str:
    try:
        require_docker()
    except TestbedError as error:
        return str(error)
    return ""


@contextmanager
def _folder(*, keep: bool) -> Iterator[str]:
    folder = tempfile.mkdtemp(prefix="homelab-demo-")
    try:
        yield folder
    finally:
        if not keep:
            # Files of services that ran as other users are in it.
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    raise SystemExit(main())
