from homelab_mcp.core.checks import LintStack, lint
from homelab_mcp.core.compose_model import read_compose
from homelab_mcp.core.stand_ins import stand_ins

TEXT = """\
services:
  gateway:
    image: ${REGISTRY}/app:${TAG}
    container_name: ${NAME}
    restart: ${RESTART}
    privileged: ${PRIVILEGED}
    ports: ["${ADDRESS}:${PORT}:80/${PROTOCOL}", "${OTHER_PORT}:81"]
    volumes: ["${DATA}:/data", "./${SUB}:/sub"]
    environment: {A: "${PORT}", B: "${FREE}", C: "${KEY:?set it}"}
    extra_hosts: ["db:${DB_IP}"]
    networks: {front: {ipv4_address: "${IP}"}}
    mem_limit: ${MEMORY}
    healthcheck: {test: "true", interval: "${EVERY}", retries: "${TIMES}"}
networks:
  front: {ipam: {config: [{subnet: 192.0.2.0/24}]}}
"""


def test_each_value_fits_where_its_variable_is_used() -> None:
    values = stand_ins([read_compose(TEXT, {})])
    assert values["ADDRESS"] == "127.0.0.1"
    assert values["PROTOCOL"] == "tcp"
    assert values["PORT"].isdigit()
    assert values["PORT"] != values["OTHER_PORT"]
    assert values["IP"] != values["DB_IP"]
    assert (values["RESTART"], values["PRIVILEGED"], values["EVERY"], values["TIMES"]) == ("always", "true", "10s", "1")
    assert values["DATA"].startswith("/")
    errors = [f.as_line() for f in lint([LintStack("s", "s/compose.yaml", TEXT, values)]) if f.severity == "error"]
    assert errors == []


def test_a_variable_with_a_default_needs_none() -> None:
    assert stand_ins([read_compose("services: {a: {image: 'x:${TAG:-1}'}}", {})]) == {}


def test_the_project_s_name_is_a_name_in_a_path_too() -> None:
    text = "services: {a: {image: x, volumes: ['${DATA}/${COMPOSE_PROJECT_NAME}:/d']}}"
    values = stand_ins([read_compose(text, {})])
    assert values["COMPOSE_PROJECT_NAME"].isalpha()
    assert values["DATA"].startswith("/")
