"""deploy/Dockerfile built and run: on bases made of this machine's own Python, Docker client and Compose.

The bases it names cannot be pulled everywhere; these have the same programs at the same places. What the lock needs is
in the base already, so that the build fetches nothing; every step of the Dockerfile is carried out.
"""

from __future__ import annotations

import importlib.metadata
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from homelab_mcp import __version__
from release.lock import needed_to_run, read_lock
from release.package import package
from testbed import Scratch
from testbed.docker_engine import docker, wait_until
from testbed.images import SEARCH_PATH, _libraries, accounts, ensure_socket_proxy, find_program
from tests.doc_play import played, shell_of
from tests.e2e.http_server import HEADERS, PING, client_of
from tests.e2e.published import cloned
from tests.e2e.server import PIN

ROOT = Path(__file__).resolve().parents[2]
PYTHON = Path(sys.base_prefix)
LIBRARY = PYTHON / "lib" / f"python3.{sys.version_info.minor}"
LEFT_OUT = {"site-packages", "test", "tests", "idlelib", "tkinter", "turtledemo", "lib2to3", "ensurepip", "__pycache__"}

pytestmark = [pytest.mark.nightly, pytest.mark.timeout(580)]


def imported(name: str, files: dict[str, Path], texts: dict[str, bytes], links: dict[str, str], path: str) -> str:
    """An image of these files and what they are linked with; its name."""
    for real in [*files.values()]:
        if real.suffix == ".so" or ".so." in real.name or "bin" in real.parts:
            files |= _libraries(real)
    with subprocess.Popen(
        ["docker", "import", f"--change=ENV PATH={path}", "-", name], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
    ) as process:
        assert process.stdin is not None
        with process.stdin, tarfile.open(fileobj=process.stdin, mode="w|") as tar:
            folder = tarfile.TarInfo("tmp")
            folder.type, folder.mode = tarfile.DIRTYPE, 0o1777
            tar.addfile(folder)
            for inner, real in files.items():
                tar.add(real.resolve(), inner.lstrip("/"), recursive=False)
            for inner, content in texts.items():
                member = tarfile.TarInfo(inner.lstrip("/"))
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
            for inner, target in links.items():
                member = tarfile.TarInfo(inner.lstrip("/"))
                member.type, member.linkname = tarfile.SYMTYPE, target
                tar.addfile(member)
    assert process.returncode == 0
    return name


def python_base(name: str) -> str:
    """Python with pip and what the lock needs to run."""
    place = LIBRARY / "site-packages"
    files = {
        str(path): path
        for path in LIBRARY.rglob("*")
        if path.is_file() and not LEFT_OUT & set(path.relative_to(LIBRARY).parts) and path.name != "EXTERNALLY-MANAGED"
    }
    files[str(PYTHON / "bin" / "python3")] = Path(sys.executable).resolve()
    for package_name in ["pip", *needed_to_run(read_lock((ROOT / "requirements.lock").read_text("utf-8")))]:
        try:
            found = importlib.metadata.files(package_name) or []
        except importlib.metadata.PackageNotFoundError:
            continue
        for file in found:
            if ".." not in file.parts and "__pycache__" not in file.parts:
                files[str(place / file)] = Path(str(file.locate()))
    files["/bin/busybox"] = find_program("busybox", "busybox-static")
    links = {f"/bin/{applet}": "busybox" for applet in ("sh", "mkdir", "chown", "chmod", "id", "ls")}
    links["/usr/local/bin/python"] = str(PYTHON / "bin" / "python3")
    return imported(name, files, accounts(), links, f"{PYTHON}/bin:{SEARCH_PATH}")


def docker_base(name: str) -> str:
    """Docker's client and Compose, where the official image has them."""
    plugin = next(
        p for p in (Path("/usr/libexec/docker/cli-plugins"), Path.home() / ".docker/cli-plugins") if p.is_dir()
    )
    files = {
        "/usr/local/bin/docker": Path(shutil.which("docker") or ""),
        "/usr/local/libexec/docker/cli-plugins/docker-compose": plugin / "docker-compose",
    }
    return imported(name, files, {}, {}, SEARCH_PATH)


@contextmanager
def built_image(run: str, folder: Path) -> Iterator[str]:
    """The image, as docs/installing.md says to make it, until the end; its name. ``folder`` gets what it is made of."""
    names = {word: f"homelab-testbed/{word}:{run}" for word in ("python", "client", "server")}
    (folder / "dist").mkdir()
    package(folder / "dist")
    try:
        bases = [f"--build-arg=PYTHON_IMAGE={python_base(names['python'])}"]
        bases += [f"--build-arg=DOCKER_IMAGE={docker_base(names['client'])}"]
        built = subprocess.run(
            ["docker", "build", "-f", "deploy/Dockerfile", "-t", names["server"], *bases, str(folder / "dist")],
            cwd=ROOT, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert built.returncode == 0, built.stdout[-3000:] + built.stderr[-3000:]
        yield names["server"]
    finally:
        for name in reversed(names.values()):
            subprocess.run(["docker", "image", "rm", "--force", name], capture_output=True, check=False)


@pytest.fixture
def image(testbed_run: Scratch, tmp_path: Path) -> Iterator[str]:
    with built_image(testbed_run.run_id, tmp_path) as name:
        yield name


async def test_the_image_serves_as_no_root_and_is_healthy(image: str, testbed_run: Scratch, tmp_path: Path) -> None:
    lab = tmp_path / "stacks"
    lab.mkdir(mode=0o777)
    lab.chmod(0o777)
    mounts = ("-v", f"{lab}:{lab}", "-e", f"HOMELAB_ROOT={lab}", "-e", "HOMELAB_FILES_ONLY=1")

    def said(*command: str, entry: tuple[str, ...] = (), stdin: bytes = b"") -> str:
        options = ("--network", "none", "--read-only", "--tmpfs", "/tmp")
        return docker("run", "--rm", "-i", *options, *mounts, *entry, image, *command, stdin=stdin, timeout=120)

    assert said("-u", entry=("--entrypoint", "id")) == "1000"
    assert "Docker Compose version" in said("compose", "version", entry=("--entrypoint", "docker"))
    json.loads(said("init", "--domain", "lab.test", "--pin-file", "-", "--json", stdin=f"{PIN}\n".encode()))
    assert "plex" in said("search", "plex", "--json")
    token = json.loads(said("token", "create", "laptop", "--scope", "read", "--json"))["token"]
    assert (lab / "homelab.yaml").stat().st_uid == 1000
    box = testbed_run.container(
        image,
        what="image",
        env={"HOMELAB_ROOT": str(lab), "HOMELAB_FILES_ONLY": "1"},
        volumes={str(lab): str(lab)},
        publish={8765: None},
        options=(
            "--read-only",
            "--tmpfs=/tmp",
            "--cap-drop=ALL",
            "--security-opt=no-new-privileges",
            "--health-interval=2s",
        ),
    )
    wait_until(lambda: box.inspect("{{.State.Health.Status}}") == "healthy", "the image to be healthy", within=90)
    url = f"http://127.0.0.1:{box.published_port(8765)}/mcp"
    # The name that the server knows itself by: the port is the container's own.
    named = {"Host": "127.0.0.1:8765"}
    assert httpx.post(url, json=PING, headers={**HEADERS, **named}).status_code == 401
    async with client_of(url, token, headers=named) as client:
        assert "lab_status" in {tool.name for tool in (await client.list_tools()).tools}


BASES = dict(
    re.findall(r"(?m)^ARG (\w+_IMAGE)=(?:docker.io/library/)?(\S+)$", (ROOT / "deploy/Dockerfile").read_text())
)
"""The images that the Dockerfile names."""


@pytest.fixture
def bases(docker_engine: str) -> Iterator[None]:
    """Under the names that the Dockerfile has; what is here already stays."""
    there = set(docker("images", "--format", "{{.Repository}}:{{.Tag}}").splitlines())
    made = [name for name in BASES.values() if name not in there]
    makers = {"PYTHON_IMAGE": python_base, "DOCKER_IMAGE": docker_base}
    for word, name in BASES.items():
        if name in made:
            makers[word](name)
    proxy = re.findall(r"image: (\S+socket-proxy\S+)", (ROOT / "deploy/compose.yaml").read_text("utf-8"))[0]
    ensure_socket_proxy(proxy)
    yield
    for name in (f"homelab-mcp:{__version__}", *made):
        subprocess.run(["docker", "image", "rm", "--force", name], capture_output=True, check=False)


@pytest.mark.usefixtures("bases")
async def test_the_page_s_commands_put_it_into_the_lab(tmp_path: Path) -> None:
    assert "traefik-network" not in docker("network", "ls", "--format", "{{.Name}}").split(), "it is made here"
    lab = tmp_path / "stacks"
    lab.mkdir()
    # Whose it is on the page: the image's user.
    lab.chmod(0o777)
    checkout = cloned(tmp_path / "checkout")
    shell = shell_of(checkout, {"/opt/stacks": str(lab), "0.1.0": __version__})
    # Compose would take it for the value in .env.
    shell.env = {name: value for name, value in shell.env.items() if name != "HOMELAB_ROOT"}
    folder = lab / "homelab-mcp"
    try:
        with played("docs/installing.md", __file__) as play:
            init = play.beginning("docker compose run --rm homelab-mcp init")
            before = play.lines[: play.lines.index(init)]
            token, up, access = play.lines[len(before) + 1 :]
            play.type(shell, *before)
            values = (folder / ".env").read_text("utf-8")
            (folder / ".env").write_text(values.replace("=/opt/stacks", f"={lab}"), "utf-8")
            asked = (
                "Domain",
                "E-mail",
                "Time zone",
                "User id",
                "Group id",
                "films",
                "downloads",
                "DNS provider",
                "VPN provider",
            )
            play.type(shell, init, replies=[*((q, "") for q in asked), ("PIN", PIN), ("Repeat", PIN)])
            (told,) = play.type(shell, token)
            (value,) = (word for word in told.said.split() if len(word) > 40)
            play.type(shell, up)
            box = "homelab-mcp"
            state = ("inspect", "--format", "{{.State.Health.Status}}", box)
            wait_until(lambda: docker(*state) == "healthy", "the server to be healthy", within=120)
            # Traefik is what asks it, by its name.
            asks = (
                "import urllib.request as u; r = u.Request('http://127.0.0.1:8765/mcp', b'{}', "
                f"{{'Host': 'mcp.example.duckdns.org', 'Authorization': 'Bearer {value}'}})\n"
                "try: print(u.urlopen(r).status)\nexcept u.HTTPError as e: print(e.code)"
            )
            assert int(docker("exec", box, "python", "-c", asks)) not in (401, 421)
            # The page's lab has a log-in already; here it comes into the files alone.
            secrets = lab / "core" / ".env"
            secrets.parent.mkdir()
            secrets.write_text("DUCKDNS_TOKEN=of-nobody\n", "utf-8")
            # The page's person is the image's user; who tests is root.
            for path in (lab, *lab.rglob("*")):
                os.chown(path, 1000, 1000)
            inside = "docker compose run --rm -T -e HOMELAB_FILES_ONLY=1 homelab-mcp"
            for service in ("traefik", "authelia"):
                planned = shell.type(f"{inside} add {service} --plan-only --json 2>/dev/null")
                assert planned.code == 3, planned.said
                plan_id = json.loads(planned.said)["plan_id"]
                approved = shell.type(f"{inside} approve {plan_id} --apply --pin-file -", given=f"{PIN}\n")
                assert approved.code == 0, approved.said
            play.type(shell, access, replies=[("PIN", PIN)])
            rules = (lab / "core/authelia/config/access-control.yml").read_text("utf-8")
            assert "- domain: mcp.example.duckdns.org\n      policy: two_factor\n" in rules, rules
            wait_until(lambda: docker(*state) == "healthy", "the server with its new labels to be healthy", within=120)
    finally:
        subprocess.run(["docker", "compose", "down", "--volumes"], cwd=folder, capture_output=True, check=False)
        subprocess.run(["docker", "network", "rm", "traefik-network"], capture_output=True, check=False)
