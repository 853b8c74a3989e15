"""What watches a lab, as images around Debian's real programs: Prometheus, Alertmanager, node exporter."""

import re
import subprocess
from pathlib import Path

from testbed.docker_engine import TestbedError
from testbed.images import CA_BUNDLE, SEARCH_PATH, LocalImage, Recipe, accounts, find_program, put_image

PROGRAMS = {
    "prometheus": ("prometheus", "prometheus"),
    "alertmanager": ("prometheus-alertmanager", "prometheus-alertmanager"),
    "node-exporter": ("prometheus-node-exporter", "prometheus-node-exporter"),
}
"""Definition -> the program and its Debian package."""
_TEMPLATES = Path("/usr/share/prometheus/alertmanager")
"""What the project has in its program, Debian has in files beside it."""
_APPLETS = ("sh", "wget", "cat", "ls", "mkdir", "chmod", "httpd", "head", "mv")


def ensure_watcher(definition: str, reference: str) -> LocalImage:
    """Put one of them on the engine, with the BusyBox that the projects' own images have.

    Args:
        definition: prometheus, alertmanager or node-exporter.
        reference: the name to take.

    Raises:
        TestbedError: the program is missing, or is too old for what is written for it.
    """
    name, package = PROGRAMS[definition]
    program = find_program(name, package)
    if definition == "alertmanager":
        said = subprocess.run([str(program), "--version"], capture_output=True, text=True, check=False)
        found = re.search(r"version (\d+)\.(\d+)", said.stdout + said.stderr)
        # The first that reads an address from a file (CHANGELOG of Alertmanager, 0.26.0).
        if found is None or (int(found[1]), int(found[2])) < (0, 26):
            raise TestbedError("Alertmanager is older than 0.26: script/setup installs a newer one")
    beside = sorted(_TEMPLATES.glob("*.tmpl")) if definition == "alertmanager" else []
    recipe = Recipe(
        kind="local-build",
        changes=(f'ENTRYPOINT ["/usr/bin/{name}"]', f"ENV PATH={SEARCH_PATH}"),
        programs={f"/usr/bin/{name}": program, "/bin/busybox": find_program("busybox", "busybox-static")},
        files=accounts() | {str(p): p.read_bytes() for p in (CA_BUNDLE, *beside) if p.is_file()},
        links={f"/bin/{applet}": "busybox" for applet in _APPLETS},
    )
    put_image(reference, recipe)
    return LocalImage(reference, is_stand_in=False)
