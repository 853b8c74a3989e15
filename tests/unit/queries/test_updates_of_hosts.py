"""``check_updates`` over several hosts: each service's image is that of its host, and a silent one holds up none."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import pytest

from homelab_mcp.bootstrap import LocalLab
from homelab_mcp.core.image_updates import ImageName
from homelab_mcp.model.hosts import HostLook
from homelab_mcp.queries.check_updates import ImageUpdate, check_updates

NOW, OLD = "sha256:" + "a" * 64, "sha256:" + "b" * 64


class Registry:
    """Two versions of ``app``; what ``latest`` names is ``NOW``."""

    def tags(self, image: ImageName) -> tuple[str, ...]:
        return ("1.0.0", "1.1.0") if image.repository.endswith("app") else ("1.0.0",)

    def digest(self, image: ImageName) -> str:
        return NOW


class Hosts:
    """This machine has the newest of every image, ``nas`` an old one, ``far`` is silent and slow to be so."""

    has: ClassVar = {"local": NOW, "nas": OLD}

    def __init__(self) -> None:
        self.looked: list[tuple[str, ...]] = []
        self.settings = SimpleNamespace(hosts={"nas": None, "far": None})

    def looks(self, names: tuple[str, ...] = ()) -> tuple[HostLook, ...]:
        self.looked.append(names)
        error = {"far": "Host far does not answer (no answer)."}
        return tuple(HostLook(name, "", error.get(name, "")) for name in names)

    def engine(self, name: str) -> SimpleNamespace:
        if name not in self.has:
            time.sleep(30)
        return SimpleNamespace(image_digests=lambda _: frozenset({self.has[name]}))


def stack(root: Path, name: str, host: str, images: dict[str, str]) -> None:
    (root / name).mkdir()
    rows = "".join(f"  {service}: {{image: '{image}'}}\n" for service, image in images.items())
    said = f"x-homelab: {{host: {host}}}\n" if host else ""
    (root / name / "compose.yaml").write_text(f"{said}services:\n{rows}")


@pytest.fixture
def hosts(monkeypatch: pytest.MonkeyPatch) -> Hosts:
    made = Hosts()
    monkeypatch.setattr(LocalLab, "hosts", made)
    return made


@pytest.fixture
def lab(tmp_path: Path, hosts: Hosts) -> LocalLab:
    images = {"app": "ghcr.io/x/app:1.0.0", "web": "ghcr.io/x/web:latest", "fix": "ghcr.io/x/fix:1.0.0"}
    (tmp_path / "homelab.yaml").write_text("domain: lab.test\n")
    for name, host in (("here", ""), ("there", "nas"), ("gone", "far")):
        stack(tmp_path, name, host, images)
    found = LocalLab(str(tmp_path))
    union = SimpleNamespace(image_digests=lambda _: frozenset({NOW, OLD}))
    found.__dict__ |= {"registry": Registry(), "engine": union}
    return found


def test_each_service_is_compared_with_the_image_of_its_own_host(lab: LocalLab, hosts: Hosts) -> None:
    begun = time.monotonic()
    found: dict[tuple[str, str], ImageUpdate] = {(f.stack, f.service): f for f in check_updates(lab)}

    assert {f.newest for (_, service), f in found.items() if service == "app"} == {"1.1.0"}, "on all three hosts"
    assert [found[s, "web"].state for s in ("here", "there", "gone")] == ["current", "moved", "unknown"]
    assert [found[s, "fix"].state for s in ("here", "there", "gone")] == ["current", "moved", "current"]
    assert found["gone", "web"].why == found["gone", "fix"].why == "Host far does not answer (no answer)."
    assert time.monotonic() - begun < 5
    assert hosts.looked == [("far", "nas")], "each host is asked once whether it is there"


def test_a_lab_of_one_host_looks_at_no_other(lab: LocalLab, hosts: Hosts) -> None:
    check_updates(lab, "here")
    assert hosts.looked == []
