"""Secrets go, text stays."""

from __future__ import annotations

import base64
import time
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homelab_mcp.core.redact import MASK, clean, is_public_name, is_secret_name, redact, safe, secret_values
from homelab_mcp.core.redact_shapes import marked_lines

SECRET = "p@ss/w0rd$with 'quotes'"


@pytest.mark.parametrize(
    "form",
    [
        SECRET,
        quote(SECRET, safe=""),
        base64.b64encode(SECRET.encode()).decode(),
        SECRET.replace("$", "$$"),
    ],
)
def test_a_known_value_goes_in_every_form(form: str) -> None:
    assert form not in redact(f"before {form} after", [SECRET])


@given(st.text(min_size=6, max_size=40), st.text(max_size=40), st.text(max_size=40))
def test_a_known_value_never_stays_whatever_is_around_it(secret: str, left: str, right: str) -> None:
    out = redact(left + secret + right, [secret])
    assert secret not in out.replace(MASK, "\n") or secret in MASK


def test_the_longer_of_two_values_goes_first() -> None:
    assert redact("abcdefghij", ["abcdef", "abcdefghij"]) == MASK


@pytest.mark.parametrize(
    ("text", "gone"),
    [
        ("DB_PASSWORD=hunter2", "hunter2"),
        ('"password": "hunter2 and more"', "hunter2"),
        ("api_key: abc123", "abc123"),
        ("Authorization: Bearer abcDEF123456", "abcDEF123456"),
        ("postgres://user:hunter2@db:5432/x", "hunter2"),
        ("token ghp_abcdefghijklmnopqrstuvwxyz012345", "ghp_"),
        ('["serve", "--token", "hunter2x"]', "hunter2x"),
        ("command:\n  - --admin-password\n  - hunterx\n", "hunterx"),
        ("restic --password hunter2 check", "hunter2"),
        ('server --password "hunter" --port 80', "hunter"),
        ("server --password 'hunter two'", "two"),
        ('server --password "hun\\"ter"', "ter"),
        ("server --password 'hun''ter'", "ter"),
        ('["--password", "hunter twox"]', "twox"),
        ("""['--token', "s3cr"]""", "s3cr"),
        ("""'--token' "hunterx" """, "hunterx"),
        ("command:\n  - --token\n  # by hand\n\n  - hunterx\n", "hunterx"),
        ("command:\n  - '--token'  # by hand\n  - hunter two\n", "two"),
        ("@@ -1 +1 @@\n     - --token\n-    - hunterx\n+    - huntery\n", "hunter"),
        ("command:\r\n  - --requirepass\r\n  - hunterx\r\n", "hunterx"),
        ("command:\r\n  - --token\r\n  # by hand\r\n\r\n  - hunterx\r\n", "hunterx"),
        ("me:$1$saltsalt$qjXMvbEw8oaL.CzflDtaK/.", "qjXM"),
        ("me:$6$$Svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjlO", "Svn8"),
        ("me:$5$rounds=5000$a-b$Svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjlO", "Svn8"),
        ("redis-server --requirepass hunter2", "hunter2"),
        ("redis-server --requirepass=hunterx", "hunterx"),
        ("unlock --pass hunter2", "hunter2"),
        ("tailscale up --auth-key hunter2 --authkey hunter2", "hunter2"),
        ("unlock -password hunter2", "hunter2"),
        ("me:$6$rounds=5000$saltsalt$Svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjlO", "Svn8"),
        ("me:$1$saltsalt$qjXMvbEw8oaL.CzflDtaK/", "qjXM"),
        ("me:$y$j9T$F5Jx5fExrKuPp53xLKQ..1$X3DX6M94c7o.9agCG9G317fhZg9SqC.5i5rd.RhAtQ7", "X3DX"),
        ("users: me:$$apr1$$q8eZFHjF$$Fvmkk//V6Btlaf2i/ju5n/", "Fvmkk"),
        ("me:$2y$05$iPGcI0PwxkDoOZUlGPkIFe31e47F5vewcjlhzhgf0EHo45H.dFyKW", "iPGcI0"),
        ("password is $argon2id$v=19$m=65536,t=3,p=4$AAAAAAAAAAAAAAAAAAAAAA$BBBBBBBBBBBBBBBBBBBBBB", "BBBB"),
        ("-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----", "MIIE"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIE cut off", "MIIE"),
    ],
)
def test_what_looks_like_a_secret_goes(text: str, gone: str) -> None:
    assert gone not in redact(text)


@pytest.mark.parametrize(
    "text",
    [
        "MYSQL_PASSWORD: ${DB_PASSWORD}",
        'MYSQL_PASSWORD: "${DB_PASSWORD:?set it}"',
        "server listens on http://app:8080/",
        "uses basic settings",
        "image: docker.io/library/nginx:1.27",
        "password: null",
        "give it by --token, or in a file",
        'command: ["--token-file", "/run/secrets/token"]',
        'command: ["--token", "${TOKEN}"]',
        "price: $1$2 and $5$$6",
        "command:\n - --disable-password\n - server\n",
        'command: ["--no-api-key", "server"]',
        "serve --skip-token 'a word' --without-secret 12345",
        "- Use --no-password\n- Then restart the service\n",
        "Use --no-password\nThen restart in 2026",
        "- Use --password\n- Then restart the service\n",
        'server --password "${PASSWORD}"',
        "rewrite ^(.*)$ https://$1$request-uri/abcdefghijkl permanent;",
        'replacement: "/$1$2/abcdefghijklmnopqrstuvwxyz"',
        'replacement: "/$$1$$2$$3/abcdefghijklmnopqrstuvwxyz"',
    ],
)
def test_ordinary_text_stays(text: str) -> None:
    assert redact(text) == text


def test_cleaning_takes_out_what_a_reader_cannot_see() -> None:
    dirty = "a\x1b[31mred\x1b[0m\x1b]8;;http://evil\x07link\x1b]8;;\x07 \u202eabc\u202c z\u200bw \x00\x07\r\nnext\ttab"
    dirty += "\U000e0041"
    assert clean(dirty) == "aredlink abc zw \nnext\ttab"
    assert clean("grüße, 日本語 🙂") == "grüße, 日本語 🙂"


def test_a_secret_split_by_invisible_marks_is_found() -> None:
    assert "hunter2hunter2" not in safe("x hunter2\u200bhunter2 \x1b[1mhunter2\x1b[0mhunter2", ["hunter2hunter2"])


def test_masking_a_megabyte_takes_no_longer_than_it_should() -> None:
    begun = time.process_time()
    for text in ("a" * 1_000_000, "password" * 125_000, "eyJ" * 300_000, "a://" * 250_000, "-----BEGIN " * 90_000):
        safe(text, ["hunter2hunter2"])
    assert time.process_time() - begun < 8


@pytest.mark.parametrize(
    "text",
    [
        "--a-b-c-d-token ",
        '--token "',
        '--token "\\',
        "--token' ",
        "--token ",
        "- --token\n",
        "- --token\n#",
        "- --token # ",
        "- --token\n- '",
        "--token 'aaaaaaaa",
        "$1$abcdefgh",
        "$$6$$rounds=1",
        "$y$a$",
        "--no-",
    ],
)
def test_a_megabyte_of_what_is_nearly_an_option_takes_no_longer(text: str) -> None:
    begun = time.process_time()
    for hostile in (text * (1_000_000 // len(text)), text + text[-1] * 1_000_000, text + " \n" * 500_000):
        redact(hostile)
    assert time.process_time() - begun < 4


def test_env_values_count_as_secret_unless_their_name_says_otherwise() -> None:
    env = "DOMAIN=lab.example.org\nTZ=Europe/Berlin\nDB_USER=nextcloud\nDB_PASSWORD='a b c d'\n"
    env += "PIN=12\nODD=whatever1\nUSER_TOKEN=abcdefg\n"
    assert secret_values(env) == ("a b c d", "whatever1", "abcdefg")
    assert is_secret_name("WIREGUARD_PRIVATE_KEY")
    assert not is_secret_name("TZ")
    assert is_public_name("MYSQL_DATABASE")
    assert all(is_public_name(name) for name in ("DUCKDNS_SUBDOMAINS", "EXTRA_DOMAINS", "APP_PORTS"))
    # Redis Commander takes label:host:port:db:password in it.
    assert not is_public_name("REDIS_HOSTS")
    assert "local:redis:6379:0:hunter2Secret9" in secret_values("REDIS_HOSTS=local:redis:6379:0:hunter2Secret9\n")
    assert not is_public_name("PASSWORD_HASH_TYPE_KEY")
    # The kind of log-in is a setting; what follows it is not.
    assert is_public_name("MINIO_PROMETHEUS_AUTH_TYPE")
    assert not is_secret_name("MINIO_PROMETHEUS_AUTH_TYPE")
    assert is_secret_name("AUTH_TYPE_VALUE")
    assert not is_public_name("SECRET_AUTH_TYPE")


@pytest.mark.parametrize(
    ("line", "marked"),
    [
        ("private_key_path: /var/lib/headscale/noise_private.key", False),
        ("password_file = './run/Secrets-2/db_Password9'", False),
        ("private_key: /Jx9Qm2Zt7Ww4Kp8Lr5Vb3Nc6Yd1Hf0Gs", True),
        ("secret_path: q8Zr3Wv9Lx2Kp7Tn5Bm1Yc4Hd6", True),
    ],
)
def test_where_a_secret_is_is_not_what_it_is(line: str, marked: bool) -> None:
    assert bool(list(marked_lines(f"server:\n  {line}\n"))) is marked
