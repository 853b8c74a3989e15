"""The listing of docs/kubernetes.md, typed as it stands there.

Kompose and a cluster cannot be had here: stand-ins take the words of their command lines, as their manuals have them
(kompose.io, "User guide"; kubernetes.io, "kubectl apply"), and refuse all others. What Kompose 1.38 itself made of six
stacks is told on the page.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import yaml

from tests.doc_play import played, shell_of

KOMPOSE = """\
import pathlib, sys, yaml
match sys.argv[1:]:
    case ["-f", compose, "convert", "-o", folder] if folder.endswith("/"):
        pathlib.Path(folder).mkdir()
        for name in yaml.safe_load(pathlib.Path(compose).read_text())["services"]:
            made = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}}
            pathlib.Path(folder, f"{name}-deployment.yaml").write_text(yaml.safe_dump(made))
    case others:
        sys.exit(f"unknown command: {others}")
"""
KUBECTL = """\
import pathlib, sys, yaml
match sys.argv[1:]:
    case ["apply", "--dry-run=server", "-f", folder]:
        for file in pathlib.Path(folder).iterdir():
            one = yaml.safe_load(file.read_text())
            print(f"{one['kind'].lower()}/{one['metadata']['name']} created (server dry run)")
    case others:
        sys.exit(f"unknown command: {others}")
"""


def test_a_stack_is_converted_and_shown_to_the_cluster_first(tmp_path: Path) -> None:
    (tmp_path / "vault").mkdir()
    (tmp_path / "vault" / "compose.yaml").write_text("services: {vaultwarden: {image: 'vaultwarden/server:1.34.1'}}\n")
    (tmp_path / "programs").mkdir()
    for name, text in (("kompose", KOMPOSE), ("kubectl", KUBECTL)):
        program = tmp_path / "programs" / name
        program.write_text(f"#!{sys.executable}\n{text}")
        program.chmod(0o755)
    with played("docs/kubernetes.md", __file__) as play:
        ended = play.type(shell_of(tmp_path, PATH=f"{tmp_path / 'programs'}:{os.environ['PATH']}"))
    assert ended[-1].said == "deployment/vaultwarden created (server dry run)\n"
    assert yaml.safe_load((tmp_path / "k8s" / "vaultwarden-deployment.yaml").read_text())["kind"] == "Deployment"
