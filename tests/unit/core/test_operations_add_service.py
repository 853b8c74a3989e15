"""add_service: what it proposes, and what it refuses."""

from dataclasses import replace
from typing import Any

import pytest

from homelab_mcp.core import yaml12
from homelab_mcp.core.catalog_index import record_of
from homelab_mcp.core.env_file import parse
from homelab_mcp.core.operations.add_service import add_service
from homelab_mcp.core.operations.request import AddServiceRequest, ServiceOptions
from homelab_mcp.core.project_name import ONE_OFF_LABEL, PROJECT_LABEL
from homelab_mcp.core.resources import Host
from homelab_mcp.core.service_page import service_page
from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.observed import ContainerState, PublishedPort, Snapshot
from homelab_mcp.model.plan import ActionKind, Draft, Risk
from tests.unit.core.operation_parts import CORE, SETTINGS, argon2, find, lab, secret

MINE = "# mine\nservices:\n  a:\n    image: x   # pinned\n"


def propose(snapshot: Snapshot, service: str, stack: str = "apps", files: Any = None, **options: Any) -> Draft:
    request = AddServiceRequest(service=service, stack=stack, options=ServiceOptions(**options))
    return add_service(
        snapshot,
        SETTINGS,
        request,
        find=find,
        secrets=secret,
        argon2=argon2,
        root="/opt/stacks",
        read=(files or {}).get,
    )


def compose_of(draft: Draft) -> dict[str, Any]:
    data = yaml12.load(draft.edits[0].after or "")
    assert isinstance(data, dict)
    return data


def worst(draft: Draft) -> Risk:
    return max(r.risk for r in draft.risks)


def refusal(*args: Any, **kwargs: Any) -> InvalidInput:
    with pytest.raises(InvalidInput) as caught:
        propose(*args, **kwargs)
    return caught.value


def test_a_new_stack_gets_a_compose_file_an_env_and_the_right_actions() -> None:
    draft = propose(lab(), "web")

    assert [(e.path, e.before, e.mode, e.secret) for e in draft.edits] == [
        ("apps/compose.yaml", None, 0o644, False),
        ("apps/.env", None, 0o600, True),
    ]
    assert parse(draft.edits[1].after or "") == {"TZ": "Etc/UTC", "DOMAIN": "lab.test"}
    assert [(a.kind, a.name or a.services) for a in draft.actions] == [
        (ActionKind.CREATE_NETWORK, "traefik-network"),
        (ActionKind.CREATE_NETWORK, "homelab-network"),
        (ActionKind.PULL, ("web",)),
        (ActionKind.UP, ("web",)),
    ]
    assert [(r.service, r.host, r.sso) for r in draft.verification.routes] == [("web", "web.lab.test", True)]
    assert worst(draft) is Risk.MEDIUM


def test_an_existing_stack_keeps_its_file_name_its_lines_and_its_values() -> None:
    draft = propose(lab(apps=(MINE, "TZ=Europe/Vienna\n")), "web")

    assert draft.edits[0].path == "apps/docker-compose.yml"
    assert (draft.edits[0].after or "").startswith(MINE)
    assert (draft.edits[1].before, draft.edits[1].after) == (
        "TZ=Europe/Vienna\n",
        "TZ=Europe/Vienna\nDOMAIN=lab.test\n",
    )


def test_companions_come_along_on_a_private_network_with_a_secret_that_only_env_holds() -> None:
    draft = propose(lab(), "app")
    services = compose_of(draft)["services"]

    assert services["app-db"]["networks"] == ["app-private"]
    assert services["app"]["networks"] == ["traefik-network", "homelab-network", "app-private"]
    assert services["app"]["depends_on"] == {"app-db": {"condition": "service_healthy"}}
    assert services["app"]["environment"]["URL"] == "https://app.${DOMAIN}"
    assert compose_of(draft)["networks"]["app-private"] == {"internal": True}
    value = parse(draft.edits[1].after or "")["APP_DB_PASSWORD"]
    assert draft.secrets == (value,)
    assert value not in (draft.edits[0].after or "")
    assert value not in " ".join([draft.summary, *draft.notes, *(r.reason for r in draft.risks), draft.undo])


def test_config_files_are_made_where_there_are_none_and_never_overwritten() -> None:
    made = propose(lab(), "app").edits
    kept = propose(lab(), "app", files={"apps/app/config/app.yml": "mine"})

    assert made[2].path == "apps/app/config/app.yml"
    assert yaml12.load(made[2].after or "") == {"host": "app.lab.test", "on": "no"}
    assert [e.path for e in kept.edits] == ["apps/compose.yaml", "apps/.env"]
    assert any("apps/app/config/app.yml" in note for note in kept.notes)


def test_values_of_an_env_without_a_compose_file_are_kept() -> None:
    draft = propose(
        lab(), "needy", files={"apps/.env": "NEEDY_TOKEN='from a person'\n"}, variables={"NEEDY_USER": "eva"}
    )

    assert (draft.edits[1].after or "").startswith("NEEDY_TOKEN='from a person'\nDOMAIN=lab.test\nNEEDY_USER=eva")
    assert draft.secrets == ("from a person",)


def test_missing_values_are_named_with_how_to_give_each() -> None:
    error = refusal(lab(), "needy")

    assert error.code == "missing_input"
    assert [(v["name"], v["secret"]) for v in error.details["variables"]] == [
        ("NEEDY_USER", False),
        ("NEEDY_TOKEN", True),
    ]
    assert "The user's name" in error.message and "homelab-mcp env set STACK NEEDY_TOKEN" in error.hint
    assert "asks" not in error.details, "whoever asked gives theirs first"
    alone = refusal(lab(), "needy", variables={"NEEDY_USER": "eva"})
    assert alone.details["asks"] == {"stack": "apps", "names": ["NEEDY_TOKEN"]}


@pytest.mark.parametrize(
    ("variables", "code"),
    [
        ({"NEEDY_TOKEN": "canary"}, "secret_in_argument"),
        ({"OTHER": "canary"}, "unknown_variable"),
        ({"NEEDY_USER": "canary\nX=1"}, "bad_value"),
        ({"NEEDY_USER": "Canary1"}, "invalid_input"),
    ],
)
def test_values_that_may_not_be_given_are_refused_without_repeating_them(variables: dict[str, str], code: str) -> None:
    error = refusal(lab(), "needy", variables=variables)

    assert error.code == code
    assert "canary" not in error.as_text().lower()


def test_what_is_taken_is_refused_with_who_has_it() -> None:
    label = "    labels: ['traefik.http.routers.x.rule=Host(`web.${DOMAIN}`)']\n"
    taken = lab(other=(f"services:\n  b:\n    image: y\n{label}", "DOMAIN=lab.test\n"))
    named = lab(other=("services:\n  b:\n    image: y\n    container_name: ${N:-web}\n", ""))
    ports = lab(other=("services:\n  b:\n    image: y\n    ports: ['127.0.0.1:50-60:50-60']\n", ""))

    assert refusal(lab(apps=("services:\n  web:\n    image: x\n", "")), "web").code == "service_exists"
    assert (refusal(taken, "web").code, "other/b" in refusal(taken, "web").message) == ("host_taken", True)
    assert refusal(named, "web").code == "container_name_taken"
    assert refusal(ports, "dns").code == "port_taken"
    assert propose(taken, "web", subdomain="web2").target == "web"
    assert propose(named, "web", name="web2").target == "web2"


def test_what_a_container_of_no_service_has_is_taken_too() -> None:
    once = {PROJECT_LABEL: "apps", ONE_OFF_LABEL: "True"}
    ours = ContainerState("1", "web", "x", "running", stack="apps", service="b", labels=once)
    port = (PublishedPort("127.0.0.1", 53, 5353),)
    somebodys = ContainerState("2", "mine", "x", "running", ports=port)
    there = replace(lab(), containers=(), besides=(ours, somebodys))

    assert refusal(there, "web").code == "container_name_taken"
    assert "`docker compose run` made" in refusal(there, "web").message
    assert propose(there, "web", name="web2").target == "web2"
    assert (refusal(there, "dns").code, "container mine has" in refusal(there, "dns").message) == ("port_taken", True)
    udp = replace(somebodys, ports=(PublishedPort("", 53, 53, "udp"),))
    assert propose(replace(there, besides=(udp, replace(somebodys, host="nas"))), "dns").target == "dns"


def test_without_a_log_in_service_a_protected_route_says_so_and_a_bypass_needs_a_reason() -> None:
    bare = Snapshot((), None)

    waiting = propose(bare, "web")
    assert waiting.notes[0].startswith("Not reachable yet: the lab has no log-in service (authelia@docker)")
    assert waiting.verification.routes == ()
    assert "authelia@docker" in compose_of(waiting)["services"]["web"]["labels"].values()
    assert refusal(bare, "web", sso="bypass").code == "reason_needed"
    draft = propose(bare, "web", sso="bypass", sso_reason="Family has no accounts ${X}")
    assert worst(draft) is Risk.HIGH
    assert draft.verification.routes == ()
    labels = compose_of(draft)["services"]["web"]["labels"]
    assert labels["homelab.sso.reason"] == "Family has no accounts $${X}"
    assert not [k for k in labels if "middlewares" in k]


def test_risk_is_high_for_published_ports_the_core_stack_and_medium_for_a_usual_bypass() -> None:
    assert worst(propose(lab(), "dns")) is Risk.HIGH
    assert worst(propose(lab(), "web", stack="core")) is Risk.HIGH
    assert worst(propose(lab(), "sso", stack="logins")) is Risk.HIGH
    assert worst(propose(lab(), "open")) is Risk.MEDIUM


def test_behind_the_vpn_the_gateway_carries_route_networks_and_name() -> None:
    services = compose_of(propose(lab(), "torrent"))["services"]

    assert services["torrent"]["network_mode"] == "service:tunnel"
    assert "networks" not in services["torrent"]
    assert services["torrent"]["depends_on"] == {"tunnel": {"condition": "service_healthy", "restart": True}}
    assert services["tunnel"]["labels"]["traefik.http.services.torrent.loadbalancer.server.port"] == "80"
    assert not [k for k in services["torrent"]["labels"] if k.startswith("traefik")]
    assert "tunnel" not in compose_of(propose(lab(), "torrent", vpn=False))["services"]
    assert refusal(lab(), "web", vpn=True).code == "vpn_not_possible"


def test_a_second_gateway_takes_a_name_of_its_own() -> None:
    other = lab(other=("services:\n  tunnel:\n    image: y\n    container_name: tunnel\n", ""))

    assert list(compose_of(propose(other, "torrent"))["services"]) == ["torrent-tunnel", "torrent"]
    elsewhere = replace(lab(), containers=(ContainerState("1", "tunnel", "y", "running", stack="someone-elses"),))
    assert list(compose_of(propose(elsewhere, "torrent"))["services"]) == ["torrent-tunnel", "torrent"]
    once = ContainerState("1", "tunnel", "y", "running", stack="apps", labels={ONE_OFF_LABEL: "True"})
    besides = replace(lab(), containers=(), besides=(once,))
    assert list(compose_of(propose(besides, "torrent"))["services"]) == ["torrent-tunnel", "torrent"]
    own = replace(lab(), containers=(ContainerState("1", "tunnel", "y", "exited", stack="apps"),))
    assert list(compose_of(propose(own, "torrent"))["services"]) == ["tunnel", "torrent"]


def test_an_unreadable_stack_elsewhere_does_not_stop_the_addition_but_is_named() -> None:
    draft = propose(lab(broken=("services: [", "")), "web")

    assert any("broken" in note for note in draft.notes)


def test_the_same_request_gives_the_same_draft() -> None:
    assert propose(lab(), "app") == propose(lab(), "app")
    assert CORE in lab().stacks[0].compose_text


def test_a_new_stack_on_another_host_says_so_and_takes_names_and_ports_there_alone() -> None:
    taken = "services:\n  dns:\n    image: x\n    container_name: dns\n    ports: ['53:53']\n"
    request = AddServiceRequest(service="dns", stack="far", host="nas")
    given: dict[str, Any] = {"find": find, "secrets": secret, "argon2": argon2, "root": "/opt/stacks", "read": {}.get}
    draft = add_service(lab(near=(taken, "")), SETTINGS, request, **given)
    text = draft.edits[0].after or ""
    assert text.startswith("x-homelab:\n  host: nas\n\n")
    assert compose_of(draft)["services"]["dns"]["ports"] == ["53:53"]
    web = add_service(lab(), SETTINGS, AddServiceRequest(service="web", stack="far", host="nas"), **given)
    assert not web.verification.routes
    assert any("host nas has no private address" in note for note in web.notes)
    assert not any("Reached at" in note for note in web.notes)
    for there in (f"x-homelab: {{host: nas}}\n{taken}", text):
        with pytest.raises(InvalidInput) as caught:
            add_service(lab(other=(there, "")), SETTINGS, request, **given)
        assert caught.value.code == "container_name_taken"
    with pytest.raises(InvalidInput) as caught:
        add_service(lab(far=(taken, "")), SETTINGS, request, **given)
    assert caught.value.code == "other_host"


def test_a_host_with_less_memory_than_its_makers_ask_for_is_told_and_one_that_nearly_has_it_is_not() -> None:
    asks = find("web").model_copy(update={"minimum_memory": "4G"})
    given: dict[str, Any] = {"secrets": secret, "argon2": argon2, "root": "/opt/stacks", "read": lambda path: None}
    request = AddServiceRequest(service="web", stack="apps")
    said = "Its makers ask for 4G of memory, and the host has 2G."
    for memory, told in ((2 * 2**30, True), (int(3.7 * 2**30), False), (0, False)):
        draft = add_service(lab(), SETTINGS, request, find=lambda name: asks, host=Host(2, memory), **given)
        assert (said in draft.notes) is told
    assert record_of(asks).memory == 4096
    assert "| Its makers ask for | 4GiB of memory at least |" in service_page(asks)
