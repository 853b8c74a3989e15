"""A new authority for Docker over TCP in the place of the old one, with no moment in which a host is out of reach.

Source: Docker, "Protect the Docker daemon socket"; moby's ``go-connections/tlsconfig`` (``ca.pem`` may hold several
certificates, each of which is trusted); dockerd reads these files when it starts. So the way goes over a time in which
both are trusted: first the hosts' certificates and what both ends trust, then this machine's, then trust in the old one
ends. How far a host is comes from the files here and from the host itself, never from a note of what was done.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from pathlib import Path

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from homelab_mcp.adapters.docker_ca_ask import asked
from homelab_mcp.adapters.docker_tls import FOLDER, end_swaps, gone, swap
from homelab_mcp.adapters.private import overwrite, private_folder, replace_private, write_private
from homelab_mcp.adapters.tls_authority import (
    CURRENT,
    KEYS,
    NEXT,
    Authority,
    issued,
    read_authority,
    read_certificate,
)
from homelab_mcp.adapters.tls_issue import authority, general, issue, key_pem, names_of, pem
from homelab_mcp.model.errors import NotFound
from homelab_mcp.model.hosts import CaHost, CaStage, DockerHost

_PROBE = "client.probe"
"""For a certificate that is only tried. No host's name has a dot."""
_AWAY = "It turns this machine away."


class DockerCa:
    """The change of the authority below one lab's private folder.

    Hosts are given as folder of the client's certificates -> address, as ``hosts.yaml`` has them. ``key_at`` is where
    the old authority's key is kept, if not beside its certificate; it is read there and nothing is done to it.
    """

    def __init__(self, root: Path, key_at: Path | None = None) -> None:
        self._root = root
        self._key_at = key_at
        self._base = root / ".homelab" / FOLDER

    def look(self, hosts: Mapping[Path, DockerHost]) -> tuple[CaHost, ...] | None:
        """How far each host is; None where no change is under way, empty where no host is left that it could wait for.

        Writes nothing but what is tried and removed, and the rest of what a crash left half-done. Raises NotFound
        (``tls_ca_missing``), InvalidInput (``tls_ca_unreadable``).
        """
        if not (self._base / "ca" / NEXT).exists():
            return None
        self._end_swaps()
        if not self._names() or self._ending():
            return tuple(CaHost(name, CaStage.DONE) for name in self._names())
        old, new = self._authority(CURRENT), self._authority(NEXT)
        from homelab_mcp.core.at_once import at_once

        known = {name: hosts.get((self._base / name / "client").resolve()) for name in self._names()}
        calls = {name: (lambda n=name, h=host: self._stage(n, h, old, new)) for name, host in known.items()}
        patience = max((h.timeout for h in known.values() if h), default=1.0)
        found = at_once(calls, 4 * patience)
        return tuple(
            one if isinstance(one := found[name], CaHost) else CaHost(name, CaStage.OLD, str(one)) for name in known
        )

    def step(self, hosts: Mapping[Path, DockerHost], days: int) -> tuple[CaHost, ...] | None:
        """Do what can be done now; how it stands then, None once the old authority is gone from here too.

        Where every host's folder was deleted meanwhile there is nobody to wait for, and the new one takes its place.

        Raises NotFound (``tls_missing``, ``tls_ca_missing``), InvalidInput (``tls_ca_unreadable``), StorageFailed.
        """
        self._end_swaps()
        begun = not (self._base / "ca" / NEXT).exists()
        if not self._names():
            if not begun:
                self._authority(NEXT)
                self._finish()
                return None
            raise NotFound(
                "No host has certificates made here.",
                hint="`homelab-mcp host tls NAME --name ITS-NAME` makes them.",
                code="tls_missing",
            )
        folder = private_folder(self._root, FOLDER, "ca")
        if begun:
            # Before anything is written: without the old one's key there is no change that could end.
            self._authority(CURRENT)
            certificate, key = authority()
            write_private(folder / KEYS[NEXT], key_pem(key))
            write_private(folder / NEXT, pem(certificate))
        elif self._ending():
            self._finish()
            return None
        old, new = self._authority(CURRENT), self._authority(NEXT)
        for one in self.look(hosts) or ():
            if one.stage is CaStage.OLD and not one.error:
                self._offer(one.name, old, new, days)
            elif one.stage is CaStage.SWITCH:
                self._switch(one.name, new, days)
        now = self.look(hosts) or ()
        # Not in the step that began it: whoever has a host that nobody here can ask has copied nothing yet.
        if begun or any(one.error or one.stage not in {CaStage.DONE, CaStage.UNASKED} for one in now):
            return now
        for one in now:
            if one.stage is CaStage.UNASKED:
                self._switch(one.name, new, days)
        self._finish()
        return None

    def _ending(self) -> bool:
        """Whether the end was begun, and a crash came between."""
        try:
            return (self._base / "ca" / NEXT).read_bytes() == (self._base / "ca" / CURRENT).read_bytes()
        except FileNotFoundError:
            return False

    def _names(self) -> list[str]:
        """Every host with a folder of certificates, whatever is missing in it."""
        found = {p.parent.name for role in ("server", "client") for p in self._base.glob(f"*/{role}") if p.is_dir()}
        return sorted(found - {"ca"})

    def _end_swaps(self) -> None:
        for folder in {p.parent for p in self._base.glob("*/*.old")}:
            end_swaps(folder)

    def _authority(self, file: str) -> Authority:
        return read_authority(self._base / "ca", file, self._way_back(file), self._key_at if file == CURRENT else None)

    def _way_back(self, file: str) -> str:
        """What a person can do about an unreadable authority while nothing has come of the new one; else ""."""
        try:
            new = read_certificate(self._base / "ca" / NEXT)
            if any(issued(new, read_certificate(path)) for path in self._base.glob("*/*/cert.pem")):
                return ""
        except (OSError, ValueError):
            return ""
        kept = ", or say by --ca-key PATH where you keep it," if file == CURRENT else ""
        return (
            f"Put it back{kept} until the change has ended; or delete {NEXT} and {KEYS[NEXT]} there: no host has "
            "anything of the new CA yet, and all is as it was before."
        )

    def _stage(self, name: str, host: DockerHost | None, old: Authority, new: Authority) -> CaHost:
        base = self._base / name
        try:
            server_is_new = new.made(read_certificate(base / "server" / "cert.pem"))
        except (OSError, ValueError):
            folder = f".homelab/tls/{name}"
            why = f"Its certificate in {folder}/server is missing or damaged: put it back, or delete {folder}."
            return CaHost(name, CaStage.OLD, why)
        if not server_is_new or not _whole(base / "client"):
            return CaHost(name, CaStage.OLD)
        if host is None:
            return CaHost(name, CaStage.UNASKED)
        ours_is_new = new.made(read_certificate(base / "client" / "cert.pem"))
        stage = CaStage.NARROW if ours_is_new else CaStage.COPY
        try:
            return self._narrowed(name, host, old, new) if ours_is_new else self._copied(name, host, new)
        except OSError as error:
            return CaHost(name, stage, f"It does not answer ({error.strerror or error}).")

    def _copied(self, name: str, host: DockerHost, new: Authority) -> CaHost:
        """Whether the host has its new files: COPY or SWITCH. Raises OSError as ``asked``."""
        shown = asked(host, self._base / name / "client")
        if shown and not new.made(shown):
            return CaHost(name, CaStage.COPY)
        # Also where it turned us away: our certificate of the old authority may have ended meanwhile.
        try:
            if self._tried(name, host, new, new):
                return CaHost(name, CaStage.SWITCH)
        except ssl.SSLCertVerificationError:
            shown = None
        why = "It shows its new certificate and does not trust the new CA." if shown else _AWAY
        return CaHost(name, CaStage.COPY, why)

    def _narrowed(self, name: str, host: DockerHost, old: Authority, new: Authority) -> CaHost:
        """Whether the host turns the old authority away: NARROW or DONE. Raises OSError as ``asked``."""
        ours = self._base / name / "client"
        if not asked(host, ours):
            return CaHost(name, CaStage.NARROW, _AWAY)
        if self._tried(name, host, old, new):
            return CaHost(name, CaStage.NARROW)
        # A host that turns everybody away by now has said nothing of the old one.
        return CaHost(name, CaStage.DONE) if asked(host, ours) else CaHost(name, CaStage.NARROW, _AWAY)

    def _tried(self, name: str, host: DockerHost, by: Authority, trusted: Authority) -> x509.Certificate | None:
        """What the host shows to a client with a certificate of that authority; None: it turns it away."""
        folder = private_folder(self._root, FOLDER, name, _PROBE)
        try:
            self._client(folder, name, by, trusted.text, 1)
            return asked(host, folder)
        finally:
            gone(folder)

    def _offer(self, name: str, old: Authority, new: Authority, days: int) -> None:
        """A certificate of the new authority for the host, and both authorities in what both ends trust."""
        both = old.text + new.text
        # First what this machine trusts: whenever the host changes, it is known here already.
        if _whole(self._base / name / "client"):
            write_private(self._base / name / "client" / "ca.pem", both)
        else:
            self._client(private_folder(self._root, FOLDER, name, "client.new"), name, old, both, days)
            swap(self._base / name, "client")
        current = read_certificate(self._base / name / "server" / "cert.pem")
        if new.made(current):
            return
        names = [general(n) for n in names_of(current)]
        made, key = issue(new.certificate, new.key, f"Docker host {name}", names, ExtendedKeyUsageOID.SERVER_AUTH, days)
        folder = private_folder(self._root, FOLDER, name, "server.new")
        for file, text in (("ca.pem", both), ("key.pem", key_pem(key)), ("cert.pem", pem(made))):
            write_private(folder / file, text)
        swap(self._base / name, "server")

    def _switch(self, name: str, new: Authority, days: int) -> None:
        """A certificate of the new authority for this machine, and the new one alone in what both ends trust."""
        self._client(private_folder(self._root, FOLDER, name, "client.new"), name, new, new.text, days)
        write_private(self._base / name / "server" / "ca.pem", new.text)
        swap(self._base / name, "client")

    def _client(self, folder: Path, name: str, by: Authority, trusted: str, days: int) -> None:
        made, key = issue(by.certificate, by.key, f"homelab-mcp for {name}", [], ExtendedKeyUsageOID.CLIENT_AUTH, days)
        for file, text in (("ca.pem", trusted), ("key.pem", key_pem(key)), ("cert.pem", pem(made))):
            write_private(folder / file, text)

    def _finish(self) -> None:
        """The new authority is the one; the old one's key is overwritten. Done again after a crash, it ends alike."""
        folder = self._base / "ca"
        replace_private(folder / "ca.pem", (folder / NEXT).read_text(encoding="ascii"))
        replace_private(folder / "ca-key.pem", (folder / KEYS[NEXT]).read_text(encoding="ascii"))
        (folder / NEXT).unlink()
        overwrite(folder / KEYS[NEXT])


def _whole(client: Path) -> bool:
    return (client / "cert.pem").exists() and (client / "key.pem").exists()
