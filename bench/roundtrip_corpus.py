"""Adds a service to every compose file below a folder and takes it out again; the bytes must be those from before.

    python bench/roundtrip_corpus.py DIR [--verbose]

Three rounds a file: one service; two services, the first taken out first; and, as a check on the check, that the
edit with the service in it holds every line of the original in order. Prints how many files were identical, refused
(by reason) and wrong, and the time a round took. Exit code 1 when any file is wrong.
"""

from __future__ import annotations

import argparse
import re
import statistics
import sys
import time
from collections import Counter
from pathlib import Path

from homelab_mcp.core.compose_edit import add_service, remove_service
from homelab_mcp.model.errors import HomelabError

_NAME = re.compile(r"\.ya?ml$")
_BLOCK = {
    "image": "traefik/whoami:v1.11.0",
    "container_name": "roundtrip-probe",
    "restart": "no",
    "networks": ["traefik-network", "homelab-network"],
    "environment": {"ANSWER": "yes", "PORT": "010", "NOTE": "a: b # c 'd' \"e\""},
    "volumes": ["roundtrip-data:/data", "./probe:/config:ro"],
    "labels": {"traefik.http.routers.probe.rule": "Host(`probe.${DOMAIN}`)"},
}
_NETWORKS = {"traefik-network": {"external": True}, "homelab-network": {"external": True}}
_VOLUMES = {"roundtrip-data": None}


def _add(text: str, name: str) -> str:
    return add_service(text, name, _BLOCK, networks=_NETWORKS, volumes=_VOLUMES, urls=[f"https://{name}.lab.test"])


def judge(text: str) -> str:
    """One file's result: identical, ``refused: reason`` or ``wrong: what``."""
    try:
        one = _add(text, "roundtrip-a")
    except HomelabError as error:
        reason = error.details.get("reason", "")
        return f"refused: {error.code}{f' ({reason})' if reason else ''}"
    if remove_service(one, "roundtrip-a") != text:
        return "wrong: one service"
    if not _holds_lines(one, text):
        return "wrong: a line changed"
    two = _add(one, "roundtrip-b")
    if remove_service(remove_service(two, "roundtrip-b"), "roundtrip-a") != text:
        return "wrong: two services"
    if remove_service(remove_service(two, "roundtrip-a"), "roundtrip-b") != text:
        return "wrong: two services, first out first"
    return "identical"


def _holds_lines(new: str, old: str) -> bool:
    rest = iter(new.splitlines())
    return all(any(line == candidate for candidate in rest) for line in old.splitlines() if "{" not in line)


def main() -> int:
    """Judge every file below the folder; 1 when one is wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--verbose", action="store_true", help="name every file that is not identical")
    options = parser.parse_args()
    results: Counter[str] = Counter()
    seconds: list[float] = []
    for path in sorted(p for p in options.folder.rglob("*") if p.is_file() and _NAME.search(p.name)):
        try:
            text = path.read_bytes().decode("utf-8")
        except UnicodeDecodeError:
            results["refused: not UTF-8"] += 1
            continue
        begin = time.perf_counter()
        result = judge(text)
        seconds.append(time.perf_counter() - begin)
        results[result] += 1
        if options.verbose and result != "identical":
            print(f"{result}\t{path}")
    total = sum(results.values())
    for result, count in results.most_common():
        print(f"{count:6d}  {count / total:7.2%}  {result}")
    print(f"{total:6d} files, {statistics.median(seconds) * 1000:.1f} ms a file (median, all rounds)")
    return 1 if any(r.startswith("wrong") for r in results) else 0


if __name__ == "__main__":
    sys.exit(main())
