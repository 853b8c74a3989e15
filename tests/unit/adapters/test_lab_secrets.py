"""A lab's secrets are known from every place where they stand, as soon as they stand there."""

from __future__ import annotations

import os
import time
from pathlib import Path

from homelab_mcp.adapters.lab_secrets import LabSecrets
from homelab_mcp.core.env_file import quote

PEM = "-----BEGIN PRIVATE KEY-----\nQUJDREVGR0hJSktMTU5PUA\n-----END PRIVATE KEY-----"


def lab(tmp_path: Path) -> Path:
    for name in ("media", "core/authelia", "core/traefik/acme"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "global.env").write_text("DOMAIN=lab.test\nSHARED_TOKEN=shared-value-1\n")
    (tmp_path / "media/.env").write_text(f"A_PASSWORD='media value'\nTLS_KEY={quote(PEM)}\nTZ=Europe/Berlin\n")
    (tmp_path / "core/authelia/users_database.yml").write_text(
        'password: "$argon2id$v=19$m=65536$c2FsdHNhbHQ$aGFzaA"\n'
    )
    (tmp_path / "core/traefik/acme/acme.json").write_text('{"le": {"Account": {"PrivateKey": "TUlJSktRSUJBQUtDQWdF"}}}')
    return tmp_path


def test_every_place_counts(tmp_path: Path) -> None:
    found = LabSecrets(lab(tmp_path)).redactor().values
    assert {"shared-value-1", "media value", PEM, "TUlJSktRSUJBQUtDQWdF"} <= found
    assert any(value.startswith("$argon2id$") for value in found)
    assert not {"lab.test", "Europe/Berlin"} & found


def test_a_change_is_seen_at_once_and_a_former_value_stays_known(tmp_path: Path) -> None:
    root = lab(tmp_path)
    secrets = LabSecrets(root)
    first = secrets.redactor()
    assert secrets.redactor() is first, "nothing changed, so nothing is made anew"
    (root / "media/.env").write_text("A_PASSWORD=another-value\n")
    (root / "photos").mkdir()
    (root / "photos/db.env").write_text("B_PASSWORD=photo-value\n")
    second = secrets.redactor()
    assert {"another-value", "photo-value", "media value"} <= second.values
    (root / "photos/db.env").unlink()
    assert "photo-value" in secrets.redactor().values


def test_what_cannot_be_read_hides_nothing_else(tmp_path: Path) -> None:
    root = lab(tmp_path)
    (root / "odd").mkdir()
    os.mkfifo(root / "odd/.env")
    (root / "odd/x.env").symlink_to("/nowhere")
    (root / "odd/y.env").write_bytes(b"Y_PASSWORD=\xff\xfe-binary\nZ_PASSWORD=readable-1\n")
    (root / "odd/broken.env").write_text("not env at all: 'x\nW_PASSWORD=readable-2\n")
    assert {"readable-1", "readable-2", "media value"} <= LabSecrets(root).redactor().values


def test_containers_count_by_names_that_say_secret(tmp_path: Path) -> None:
    met: dict[str, tuple[tuple[str, str], ...]] = {
        "a1": (("DB_PASSWORD", "from-container"), ("NGINX_VERSION", "1.27.0-long"), ("GPG_KEYS", "0123456789ABCDEF"))
    }
    secrets = LabSecrets(tmp_path, lambda: met)
    assert secrets.redactor().values == {"from-container", "0123456789ABCDEF"}
    met["b2"] = (("API_TOKEN", "second-one"),)
    assert "second-one" in secrets.redactor().values


def test_a_look_at_an_unchanged_lab_is_cheap(tmp_path: Path) -> None:
    for stack in range(30):
        for service in range(8):
            (tmp_path / f"s{stack}/d{service}/config").mkdir(parents=True)
        (tmp_path / f"s{stack}/.env").write_text("".join(f"V{n}_PASSWORD=value-{stack}-{n}\n" for n in range(7)))
    secrets = LabSecrets(tmp_path)
    assert len(secrets.redactor().values) == 210
    spent = []
    for _ in range(5):
        begun = time.process_time()
        secrets.redactor()
        spent.append(time.process_time() - begun)
    assert min(spent) < 0.05, spent
