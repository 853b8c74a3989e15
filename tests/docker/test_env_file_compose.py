"""What this project writes into ``.env``, the Compose CLI reads back exactly. Needs the CLI, no daemon."""

import json
import random
import string
import subprocess
from pathlib import Path

import pytest

from homelab_mcp.core.env_file import parse, set_values

BATCHES = 10
COUNT = 500
ALPHABET = string.ascii_letters + string.digits + "'\"\\$#`{}()[]:;,.=+-*/!?&|<>~^%@_  äßé漢🙂\u00a0"
PIECES = [
    "'", "\\'", "\\", "\\\\", '"', '\\"', "$", "$$", "${A}", "$HOME", "\\$", " #", "# ", "\\n", "\\t", "\\0", "\\x41",
    "${X:-y}", "=", "export ", "it's", "end\\",
]  # fmt: skip


def random_values(batch: int) -> dict[str, str]:
    chance = random.Random(20260101 + batch)
    values = {}
    for number in range(COUNT):
        if number % 2:
            text = "".join(chance.choice(ALPHABET) for _ in range(chance.randint(0, 24)))
        else:
            text = "".join(chance.choice(PIECES) for _ in range(chance.randint(1, 6)))
        values[f"V{number:04d}"] = text
    return values


def compose_reads(folder: Path, names: list[str]) -> dict[str, str]:
    service = {"image": "scratch", "environment": {name: f"${{{name}}}" for name in names}}
    (folder / "compose.yaml").write_text(json.dumps({"services": {"probe": service}}))
    done = subprocess.run(
        ["docker", "compose", "config", "--format", "json"], cwd=folder, capture_output=True, text=True, timeout=25
    )
    assert done.returncode == 0, done.stderr
    read = json.loads(done.stdout)["services"]["probe"]["environment"]
    # "config" writes a literal dollar as "$$", so that its output can be used as a compose file again.
    return {name: value.replace("$$", "$") for name, value in read.items()}


@pytest.mark.parametrize("batch", range(BATCHES))
def test_compose_reads_5000_random_values_exactly_as_they_were_set(tmp_path: Path, batch: int) -> None:
    """In batches: Compose takes more than in proportion for more variables."""
    values = random_values(batch)
    text = set_values("# mine\nKEEP='as it is'\n", values)
    (tmp_path / ".env").write_text(text, encoding="utf-8")

    read = compose_reads(tmp_path, list(values))

    assert {name: (values[name], read[name]) for name in values if read[name] != values[name]} == {}
    assert len(set(values.values())) > COUNT * 0.9


HAND_WRITTEN = r"""# a comment
PLAIN=value
SPACED = around
export EXPORTED=yes
TRAILING=one two   # comment
HASH=ab#cd
EMPTY=
SINGLE='literal ${PLAIN} #x'  # after
DOUBLE="${PLAIN}-x \"q\" \$HOME"
NESTED=${PLAIN}/sub
FALLBACK=${NOT_SET_ANYWHERE:-fallback}
MULTI="first
second"
AGAIN=1
AGAIN=2
"""


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_our_parser_agrees_with_compose_on_a_hand_written_file(tmp_path: Path, newline: str) -> None:
    text = HAND_WRITTEN.replace("\n", newline)
    if newline == "\r\n":
        text = text.replace('MULTI="first\r\nsecond"\r\n', "")
    (tmp_path / ".env").write_bytes(text.encode())
    ours = parse(text)

    assert compose_reads(tmp_path, list(ours)) == ours
