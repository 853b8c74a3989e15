"""This machine as Linux shows it: kernel tables, file systems, device files, the resolver."""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from zoneinfo import ZoneInfo

from homelab_mcp.adapters.hardware import route_table
from homelab_mcp.model.host import Disk, HostFacts, HostHealth, HostQuestion, Route

_RESOLVE_SECONDS = 3.0
_COMMAND_SECONDS = 3.0
_LISTEN = "0A"
_SOCKET = "socket:["


class LinuxHost:
    """Fulfils ``ports.Host``."""

    def facts(self, question: HostQuestion) -> HostFacts:
        """What can be seen of this machine now."""
        total, available = _memory()
        return HostFacts(
            listeners=_listeners(),
            disks=tuple(_disk(path) for path in question.paths),
            memory=total,
            available=available,
            cpus=os.cpu_count() or 0,
            resolved=_resolved(question.names),
            caa=_caa(question.caa),
            clock_off=_clock_off(question.clock_from),
            own_addresses=tuple(_own_addresses()),
            firewall=_firewall(),
            timezone_known=_zone_known(question.timezone),
            user=_user(question.puid),
            group=_group(question.pgid),
            nvidia=Path("/proc/driver/nvidia/version").exists(),
            nvidia_toolkit=bool(shutil.which("nvidia-ctk") or shutil.which("nvidia-container-runtime")),
            render_nodes=tuple(sorted(str(p) for p in Path("/dev/dri").glob("renderD*"))),
            routes=tuple(_routes()),
        )

    def health(self, *, names: Sequence[str] = (), find: str = "") -> HostHealth:
        """How it is now."""
        from homelab_mcp.adapters.host_health import read_health

        resolved = {name: None if found is None else bool(found) for name, found in _resolved(names).items()}
        return read_health(resolved, find=find)


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return []


def _memory() -> tuple[int, int]:
    """(all, available) of proc(5) meminfo, which counts in KiB."""
    found = {}
    for line in _lines("/proc/meminfo"):
        name, _, rest = line.partition(":")
        if rest.split()[:1]:
            found[name] = int(rest.split()[0]) * 1024
    return found.get("MemTotal", 0), found.get("MemAvailable", 0)


def _listeners() -> dict[int, str]:
    """TCP ports that something listens on, on any address (proc(5), net/tcp: state 0A), and the program's name."""
    inodes: dict[str, int] = {}
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in _lines(table)[1:]:
            fields = line.split()
            if len(fields) > 9 and fields[3] == _LISTEN:
                inodes[fields[9]] = int(fields[1].rpartition(":")[2], 16)
    found = dict.fromkeys(inodes.values(), "")
    wanted = {f"{_SOCKET}{inode}]": port for inode, port in inodes.items()}
    for process in Path("/proc").glob("[0-9]*"):
        for target in _open_files(process):
            if target in wanted and not found[wanted[target]]:
                found[wanted[target]] = "".join(_lines(str(process / "comm"))[:1])
    return found


def _open_files(process: Path) -> Iterable[str]:
    try:
        names = list((process / "fd").iterdir())
    except OSError:
        return []  # another user's, or gone
    targets = []
    for name in names:
        try:
            targets.append(str(name.readlink()))
        except OSError:
            continue
    return targets


def _disk(path: str) -> Disk:
    asked = Path(path)
    there = asked
    while not there.exists() and there != there.parent:
        there = there.parent
    try:
        usage = shutil.disk_usage(there)
        mounted = there.stat().st_dev != Path("/").stat().st_dev
        owner = asked.stat().st_uid if asked.exists() else -1
    except OSError:
        return Disk(path, False, 0, 0, False)
    return Disk(path, asked.exists(), usage.total, usage.free, mounted, owner)


def _resolved(names: Iterable[str]) -> dict[str, tuple[str, ...] | None]:
    """Each name's addresses; None where no answer came in time, () where there are none."""
    found: dict[str, tuple[str, ...] | None] = dict.fromkeys(names)

    def ask(name: str) -> None:
        try:
            answers = socket.getaddrinfo(name, 443, type=socket.SOCK_STREAM)
            found[name] = tuple(sorted({str(a[4][0]) for a in answers}))
        except socket.gaierror as error:
            # EAI_AGAIN is a resolver that does not answer: nothing is known then.
            found[name] = None if error.errno == socket.EAI_AGAIN else ()
        except UnicodeError:
            found[name] = ()  # no name that DNS could hold
        except OSError:
            found[name] = None

    # Daemons, as getaddrinfo has no time limit and must not keep the program from ending.
    threads = [threading.Thread(target=ask, args=(name,), daemon=True) for name in found]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(_RESOLVE_SECONDS)
    return dict(found)


def _caa(names: Sequence[str]) -> dict[str, tuple[str, ...] | None]:
    """Each name's CAA records, asked all at once."""
    if not names:
        return {}
    from homelab_mcp.adapters.dns_caa import caa

    with ThreadPoolExecutor(len(names), thread_name_prefix="caa") as pool:
        return dict(zip(names, pool.map(caa, names), strict=True))


def _clock_off(url: str) -> float | None:
    if not url:
        return None
    from homelab_mcp.adapters.server_clock import clock_off

    found: list[float | None] = []
    # A daemon, as looking up the server's name has no time limit.
    asking = threading.Thread(target=lambda: found.append(clock_off(url)), daemon=True)
    asking.start()
    asking.join(_RESOLVE_SECONDS + 1)
    return found[0] if found else None


def _own_addresses() -> Iterable[str]:
    """This machine's IPv4 and IPv6 addresses, without loopback."""
    for line in _lines("/proc/net/fib_trie"):
        # Each local address is a leaf followed by a line that says "host LOCAL".
        text = line.strip()
        if text.startswith("|--"):
            last = text.removeprefix("|--").strip()
        elif "host LOCAL" in text and not last.startswith("127."):
            yield last
    for line in _lines("/proc/net/if_inet6"):
        digits = line.split()[0]
        yield socket.inet_ntop(socket.AF_INET6, bytes.fromhex(digits))


def _routes() -> Iterable[Route]:
    """IPv4 networks reached without a gateway."""
    with contextlib.suppress(OSError):
        for network, device, far in route_table(Path("/proc/net")):
            if network.prefixlen and not far:
                yield Route(str(network), device)


def _firewall() -> str:
    if any(line.strip().lower() == "enabled=yes" for line in _lines("/etc/ufw/ufw.conf")):
        return "ufw"
    if os.geteuid() != 0 or not (nft := shutil.which("nft", path="/usr/sbin:/sbin:/usr/bin")):
        return "unseen"
    try:
        done = subprocess.run(
            [nft, "list", "tables"], capture_output=True, text=True, timeout=_COMMAND_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return "unseen"
    if done.returncode != 0:
        return "unseen"
    # What iptables-nft and Docker keep for themselves is no firewall of a person's.
    own = {"filter", "nat", "mangle", "raw", "docker-bridges"}
    return "nftables" if any(line.split()[-1] not in own for line in done.stdout.splitlines() if line) else "none"


def _zone_known(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return ""


def _group(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return ""
