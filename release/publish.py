"""``script/release``: closes the changelog, sets the version, commits and tags it, and makes what is published.

Nothing leaves this machine: what there is to push and to upload is said at the end.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from release.changelog import closed, section, version_key

ROOT = Path(__file__).resolve().parents[1]
VERSIONS = ("src/homelab_mcp/__init__.py", "server.json", "deploy/env.example")


def main() -> int:
    """Make the release; 0 when it is there, 1 with the reason when not."""
    parser = argparse.ArgumentParser(prog="script/release", description=__doc__)
    parser.add_argument("version", help="such as 0.2.0, or 0.2.0rc1")
    parser.add_argument("--sign", metavar="KEY", help="SSH private key that signs the checksums")
    options = parser.parse_args()
    try:
        files = prepared(ROOT, options.version, datetime.now(UTC).strftime("%Y-%m-%d"))
        if _git("status", "--porcelain"):
            raise ValueError("there are changes that are not committed")
    except ValueError as error:
        print(f"script/release: {error}", file=sys.stderr)
        return 1
    for name, text in files.items():
        (ROOT / name).write_text(text, encoding="utf-8")
    _git("commit", "--quiet", "-m", f"Release {options.version}", "--", *files)
    notes = section(files["CHANGELOG.md"], options.version)
    _git("tag", "--annotate", f"v{options.version}", "-m", f"{options.version}\n\n{notes}", "--cleanup=whitespace")
    # A process of its own: this one has read the old version.
    subprocess.run(["script/package", *(["--sign", options.sign] if options.sign else [])], cwd=ROOT, check=True)
    print(
        f"\nv{options.version} is committed, tagged and in dist/. Look at it, then:\n"
        f"  git push --follow-tags\n"
        f"  python -m twine upload dist/*.whl dist/*.tar.gz\n"
        f"  mcp-publisher publish        # server.json, to the MCP registry\n"
        f"and attach all of dist/ to the release's page."
    )
    return 0


def prepared(root: Path, version: str, day: str) -> dict[str, str]:
    """The texts of the files that a release changes, by path.

    Raises:
        ValueError: not a version, not a newer one, or nothing is unreleased.
    """
    texts = {name: (root / name).read_text(encoding="utf-8") for name in VERSIONS}
    now = re.search(r'^__version__ = "([^"]+)"$', texts[VERSIONS[0]], re.MULTILINE)
    if now is None:
        raise ValueError(f"{VERSIONS[0]} does not say a version")
    # The first release has the version that was there from the beginning.
    released = section((root / "CHANGELOG.md").read_text(encoding="utf-8"), now[1])
    if version_key(version) < version_key(now[1]) or (version == now[1] and released):
        raise ValueError(f"{version} is not newer than {now[1]}")
    changelog = closed((root / "CHANGELOG.md").read_text(encoding="utf-8"), version, day)
    server = json.loads(texts["server.json"])
    server["version"] = version
    for package in server["packages"]:
        package["version"] = version
    return {
        "CHANGELOG.md": changelog,
        VERSIONS[0]: texts[VERSIONS[0]].replace(now[0], f'__version__ = "{version}"'),
        "server.json": json.dumps(server, indent=2, ensure_ascii=False) + "\n",
        VERSIONS[2]: re.sub(r"(?m)^HOMELAB_MCP_VERSION=.*$", f"HOMELAB_MCP_VERSION={version}", texts[VERSIONS[2]]),
    }


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.strip()


if __name__ == "__main__":
    raise SystemExit(main())
