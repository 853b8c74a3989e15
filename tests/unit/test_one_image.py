"""What the image that stands in for every service asks when a health check calls one of its programs."""

from __future__ import annotations

import shlex
import subprocess

import pytest

from homelab_mcp.adapters.catalog_files import packaged_definitions
from homelab_mcp.model.definition import Container
from testbed.one_image import FIND, containers, environment, programs_of


@pytest.mark.parametrize(
    ("command", "url"),
    [
        ("node -e \"fetch('http://localhost:3000/api/health').then(r => r)\"", "http://localhost:3000/api/health"),
        ("node -e \"require('http').get('http://127.0.0.1:3001/health',r=>r)\"", "http://127.0.0.1:3001/health"),
        ("node -e \"require('https').get('https://127.0.0.1:9443/')\"", "https://127.0.0.1:9443/"),
        ("python3 -c 'urlopen(\"https://127.0.0.1:8443/\")'", "https://127.0.0.1:8443/"),
        ("bash -c 'exec 3<>/dev/tcp/127.0.0.1/6333'", "http://127.0.0.1:6333/"),
        ("pg_isready -q -U wiki -p 5433", "http://127.0.0.1:5433/"),
        ("redis-cli --port=6380 ping", "http://127.0.0.1:6380/"),
        ("mysqladmin -p secret ping", "http://127.0.0.1:9000/"),
        ("agent check 127.0.0.1:7777", "http://127.0.0.1:7777/"),
        ("/healthcheck.sh", "http://127.0.0.1:9000/"),
    ],
)
def test_a_program_asks_what_its_arguments_name_and_else_the_first_port(command: str, url: str) -> None:
    _, *arguments = shlex.split(command)
    done = subprocess.run(
        ["sh", "-c", f'{FIND}\necho "$url"', "program", *arguments],
        env={"STAND_IN_PORTS": "9000 9001", "PATH": "/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == url


def container(*test: str, **more: object) -> Container:
    fields = {"image": {"repository": "a/b", "tag": "1"}, "resources": "tiny", "health": {"test": list(test)}, **more}
    return Container.model_validate(fields)


def test_the_programs_of_a_check_are_found_in_a_shells_words_too() -> None:
    assert programs_of(container("CMD", "curl", "-f", "http://x/")) == set()
    assert programs_of(container("CMD", "/app/tool", "ping")) == {"/app/tool"}
    assert programs_of(container("CMD-SHELL", "redis-cli ping | grep -q PONG || exit 1")) == {"redis-cli"}
    assert programs_of(container("CMD", "sh", "-c", "pg_isready -q && wget -q x")) == {"pg_isready"}
    assert programs_of(container("CMD", "/bin/bash", "/app/check.sh", "now")) == {"/bin/bash", "/app/check.sh"}
    assert programs_of(container("CMD", "bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/80")) == {"bash"}


def test_every_container_of_the_catalog_has_ports_and_folders_to_stand_in_for() -> None:
    for definition in packaged_definitions():
        for end, each in containers(definition).items():
            told = environment(definition.id + end, each)
            assert told["STAND_IN_PORTS"].replace(" ", "").isdigit()
            assert all(
                folder.startswith("/") and " " not in folder for folder in told["STAND_IN_FOLDERS"].split(" ") if folder
            )


def test_a_port_that_is_asked_by_https_speaks_tls_and_udp_ports_alone_are_asked_by_tcp() -> None:
    ports = [{"container": 8443}, {"container": 8080}]
    asked = container("CMD", "curl", "-fsSk", "https://localhost:8443/status", ports=ports)
    assert environment("a", asked)["STAND_IN_TLS"] == "8443"
    assert "STAND_IN_TLS" not in environment("a", container("CMD", "curl", "https://localhost:9/", ports=ports))
    game = container("CMD", "mc-monitor", "--port", "19132", ports=[{"container": 19132, "protocol": "udp"}])
    assert environment("a", game)["STAND_IN_PORTS"] == "19132"
