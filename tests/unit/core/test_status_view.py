import pytest

from homelab_mcp.core.declared import declared, fill, url_of
from homelab_mcp.core.status_view import as_text, counts, rows, short_image, uptime
from homelab_mcp.model.observed import ContainerState, StackFiles

COMPOSE = """\
services:
  web:
    image: docker.io/library/nginx:${VERSION:-1.27}
    labels:
      traefik.enable: true
      traefik.http.routers.web.rule: Host(`web.${DOMAIN}`) && PathPrefix(`/`)
  db:
    image: postgres:17@sha256:0000000000000000000000000000000000000000000000000000000000000000
    labels: ["a=b"]
"""
STACK = StackFiles("shop", "shop/compose.yaml", COMPOSE, "DOMAIN=lab.test\nTOKEN=very-secret-1\n")


def container(service: str, stack: str = "shop", health: str = "") -> ContainerState:
    return ContainerState(
        id=f"{stack}-{service}", name=service, image="i", state="running", stack=stack, service=service, health=health
    )


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("${A}-$A", "1-1"),
        ("$$A", "$A"),
        ("${B:-x}", "x"),
        ("${E:-x}|${E-x}", "x|"),
        ("${A:+y}|${B:+y}", "y|"),
        ("${B}", "${B}"),
        ("${B:?must be set}", "${B:?must be set}"),
        ("100%", "100%"),
    ],
)
def test_variables_are_filled_in_as_compose_does(text: str, filled: str) -> None:
    assert fill(text, {"A": "1", "E": ""}) == filled


def test_services_are_declared_with_url_and_image() -> None:
    web, db = declared(STACK)
    assert (web.service, web.image, web.url) == ("web", "docker.io/library/nginx:1.27", "https://web.lab.test")
    assert (db.url, short_image(db.image)) == ("", "postgres:17")


def test_a_secret_in_an_image_or_label_stays_unfilled() -> None:
    text = "services: {x: {image: 'a:${TOKEN}', labels: {traefik.http.routers.x.rule: 'Host(`${TOKEN}.b`)'}}}"
    stack = StackFiles("s", "s/compose.yaml", text, STACK.env_text)
    running = ContainerState(id="1", name="x", image="a:very-secret-1", state="running", stack="s", service="x")
    (row,) = rows([stack], [running], root="/r", restarts={})
    assert "very-secret-1" not in str(row.as_dict())
    assert row.image == "a:${TOKEN}"


@pytest.mark.parametrize(
    ("status", "short"),
    [
        ("Up 5 minutes (healthy)", "5m"),
        ("Up About an hour", "1h"),
        ("Up About a minute", "1m"),
        ("Up Less than a second", "<1s"),
        ("Up 2 weeks", "2w"),
        ("Up 3 months", "3mo"),
        ("Exited (1) 2 days ago", ""),
    ],
)
def test_uptime_is_short(status: str, short: str) -> None:
    assert uptime(status) == short


def test_a_disabled_route_is_no_url() -> None:
    assert url_of({"traefik.enable": "false", "traefik.http.routers.a.rule": "Host(`a.b`)"}) == ""


def test_missing_running_and_undeclared_are_told_apart() -> None:
    found = rows(
        [STACK],
        [container("web", health="unhealthy"), container("ghost"), container("x", stack="foreign")],
        root="/lab",
        restarts={"shop-web": 4},
    )
    assert [(r.stack, r.service, r.state, r.note) for r in found] == [
        ("shop", "web", "running", ""),
        ("shop", "db", "missing", ""),
        ("shop", "ghost", "running", "undeclared"),
        ("foreign", "x", "running", "undeclared"),
    ]
    assert found[0].restarts == 4
    assert counts(found) == {"running": 3, "missing": 1, "undeclared": 2, "unhealthy": 1}
    text = as_text(found, 4, counts(found))
    assert "shop/web running unhealthy 4 restarts https://web.lab.test" in text


def test_without_an_engine_the_state_is_unknown_not_missing() -> None:
    assert {r.state for r in rows([STACK], None, root="/lab", restarts={})} == {""}


def test_a_stack_is_known_by_its_folder_whatever_its_project() -> None:
    labels = {"com.docker.compose.project.working_dir": "/lab/shop"}
    odd = ContainerState(id="1", name="n", image="i", state="running", stack="odd", service="web", labels=labels)
    assert rows([STACK], [odd], root="/lab", restarts={})[0].state == "running"


def test_a_broken_file_is_one_row_and_its_containers_still_show() -> None:
    broken = StackFiles("shop", "shop/compose.yaml", "services: [", "")
    found = rows([broken], [container("web")], root="/lab", restarts={})
    assert [(r.service, r.state) for r in found] == [("", "unreadable"), ("web", "running")]


@pytest.mark.parametrize(
    ("labels", "status", "note"),
    [
        ({"sablier.enable": "true"}, "Exited (0) 5 minutes ago", "asleep"),
        ({"sablier.enable": "true"}, "Exited (143) 5 minutes ago", "asleep"),
        ({"sablier.enable": "true"}, "Exited (1) 5 minutes ago", ""),
        ({}, "Exited (0) 5 minutes ago", ""),
    ],
)
def test_a_service_that_sablier_stopped_is_asleep_and_not_broken(
    labels: dict[str, str], status: str, note: str
) -> None:
    stack = StackFiles("s", "s/compose.yaml", "services: {web: {image: a:1}}\n")
    seen = ContainerState("1", "web", "a:1", "exited", stack="s", service="web", status=status, labels=labels)
    (row,) = rows([stack], [seen], root="/lab", restarts={})
    assert (row.state, row.note) == ("exited", note)
