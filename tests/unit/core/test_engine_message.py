import pytest

from homelab_mcp.core.compose_model import read_compose
from homelab_mcp.core.engine_message import place, sentence

TEXT = "services:\n  my.web:\n    image: x\n    ports:\n      - '80:80'\n      - bad\nnetworks:\n  front: {}\n"


@pytest.mark.parametrize(
    ("said", "line", "service"),
    [
        ("failed to parse /lab/web/compose.yaml: yaml: line 6: did not find", 6, ""),
        ("validating /lab/web/compose.yaml: services.my.web.ports.1 must be a mapping", 6, "my.web"),
        ("'services[my.web].ports[0]' bad", 5, "my.web"),
        ('service "my.web" refers to undefined network x: invalid compose project', 2, "my.web"),
        ("networks.front: conflicting parameters", 8, ""),
        ("something else", 1, ""),
    ],
)
def test_the_place_is_read_from_what_compose_says(said: str, line: int, service: str) -> None:
    model = read_compose(TEXT, {}, file="web/compose.yaml")
    file, mark, who = place(said, [model])
    assert (file, mark.line, who) == ("web/compose.yaml", line, service)


def test_neither_folders_nor_values_are_told_but_what_the_file_itself_says_is() -> None:
    said = "validating /srv/labs/web/compose.yaml: services.web.ports: invalid port s3cr3t-9 near 8080/tcp"
    told = sentence(said, ["ports: ['8080:80/tcp']"], ["PORT=s3cr3t-9\nOTHER=8080\n"])
    assert told == "services.web.ports: invalid port [redacted] near 8080/tcp."
