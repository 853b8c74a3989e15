"""Traefik's store of certificates (``acme.json``): reading it without its keys, taking entries out, putting them back.

The file is one JSON object: resolver -> {Account, Certificates: [{domain: {main, sans}, certificate, key, Store}]},
certificate and key in Base64, indented by two spaces (traefik/traefik pkg/provider/acme/local_store.go and
provider.go, v3.7). Traefik reads it when it starts and writes it whole whenever it gets a certificate.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from homelab_mcp.model.certificate import Certificate, Stored
from homelab_mcp.model.errors import InvalidInput


def read_store(path: str, text: str) -> tuple[Stored, ...]:
    """Every certificate in the store, without its key. An empty file holds none.

    Raises:
        InvalidInput: it is no such store (code ``store_unreadable``); nothing of its content is repeated.
    """
    found = []
    for resolver, entry in _entries(_data(path, text)):
        domain = entry.get("domain")
        domain = domain if isinstance(domain, dict) else {}
        sans = domain.get("sans")
        found.append(
            Stored(
                store=path,
                resolver=resolver,
                main=str(domain.get("main") or ""),
                sans=tuple(str(s) for s in sans) if isinstance(sans, list) else (),
                certificate=_certificate(entry),
            )
        )
    return tuple(found)


def without(path: str, text: str, serials: Collection[str]) -> str:
    """The store without the certificates of these serial numbers, as Traefik would write it.

    Raises:
        InvalidInput: it is no such store, or one of them is not in it (code ``certificate_gone``).
    """
    data = _data(path, text)
    gone: set[str] = set()
    for part in data.values():
        if isinstance(part, dict) and isinstance(part.get("Certificates"), list):
            kept = []
            for entry in part["Certificates"]:
                serial = _serial(entry)
                if serial in serials:
                    gone.add(serial)
                else:
                    kept.append(entry)
            part["Certificates"] = kept
    if missing := set(serials) - gone:
        raise InvalidInput(
            f"{path} no longer holds the certificate {sorted(missing)[0]}.",
            code="certificate_gone",
            hint="Traefik replaced it meanwhile; look with check_certs.",
        )
    return _written(data)


def put_back(path: str, now: str, before: str, serials: Collection[str]) -> str:
    """The store as it is now, with those of the dropped certificates that have no successor put back from ``before``.

    Where nothing but the drop was done, or what is there now is no store (Traefik was killed as it wrote), that is
    ``before`` itself, byte for byte.
    """
    try:
        data = _data(path, now)
    except InvalidInput:
        return before
    if not now.strip() or now == without(path, before, serials):
        return before
    old = _data(path, before)
    changed = False
    for resolver, entry in _entries(old):
        if _serial(entry) not in serials:
            continue
        part = data.setdefault(resolver, old[resolver] | {"Certificates": []})
        here = part.get("Certificates")
        here = here if isinstance(here, list) else []
        # One for the same names is the successor: Traefik got it, and the CA counted it.
        if not any(e.get("domain") == entry.get("domain") for e in here if isinstance(e, dict)):
            part["Certificates"] = [*here, entry]
            changed = True
    return _written(data) if changed else now


def _certificate(entry: Mapping[str, Any]) -> Certificate | None:
    # Late: a server's start must not pay for the library that reads certificates.
    from homelab_mcp.core.certs.reading import from_pem

    try:
        return from_pem(base64.b64decode(str(entry.get("certificate") or ""), validate=True))
    except (binascii.Error, ValueError):
        return None


def _serial(entry: Any) -> str:
    found = _certificate(entry) if isinstance(entry, Mapping) else None
    return found.serial if found else ""


def _data(path: str, text: str) -> dict[str, Any]:
    try:
        data = json.loads(text) if text.strip() else {}
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict):
        # The parser's own words may quote the content, which holds keys.
        raise InvalidInput(
            f"{path} is not a store of certificates as Traefik 2 and 3 write it.",
            code="store_unreadable",
            hint="Put it back from a backup, or move it away: Traefik then gets every certificate anew.",
        )
    return data


def _entries(data: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for resolver, part in data.items():
        listed = part.get("Certificates") if isinstance(part, dict) else None
        for entry in listed if isinstance(listed, list) else ():
            if isinstance(entry, dict):
                yield resolver, entry


def _written(data: Mapping[str, Any]) -> str:
    return json.dumps(data, indent=2, ensure_ascii=False)
