"""A service by its image gets what a catalog service gets."""

from __future__ import annotations

from typing import Any

import pytest

from homelab_mcp.core import yaml12
from homelab_mcp.core.checks import LintStack, lint
from homelab_mcp.core.env_file import parse
from homelab_mcp.core.operations.add_custom import add_custom
from homelab_mcp.core.operations.custom_request import CustomRequest
from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.external import ExternalRoute
from homelab_mcp.model.finding import Severity
from homelab_mcp.model.image import ImageFacts
from homelab_mcp.model.plan import Draft, Risk
from tests.unit.core.operation_parts import SETTINGS, argon2, lab, secret

FACTS = ImageFacts(ports=((3000, "tcp"), (9999, "udp")), volumes=("/var/lib/thing",), health=True)


def propose(facts: ImageFacts | None = FACTS, files: Any = None, settings: Any = SETTINGS, **values: Any) -> Draft:
    request = CustomRequest(**{"name": "thing", "image": "example/thing:1.2", **values})
    return add_custom(
        lab(), settings, request, facts=facts, secrets=secret, argon2=argon2, root="/opt/stacks", read=(files or {}).get
    )


def block(draft: Draft) -> dict[str, Any]:
    data = yaml12.load(draft.edits[0].after or "")
    assert isinstance(data, dict)
    service: dict[str, Any] = data["services"][draft.target]
    return service


def refused(**values: Any) -> str:
    with pytest.raises(InvalidInput) as caught:
        propose(**values)
    assert caught.value.hint or caught.value.code == "bad_value"
    return caught.value.code


def test_the_image_says_its_port_its_data_and_its_health() -> None:
    draft = propose()
    made = block(draft)
    assert made["image"] == "example/thing:1.2"
    assert made["labels"]["traefik.http.services.thing.loadbalancer.server.port"] == "3000"
    assert made["labels"]["traefik.http.routers.thing.middlewares"] == "authelia@docker"
    assert made["labels"]["homepage.href"] == "https://thing.${DOMAIN}"
    assert made["volumes"] == ["./thing/thing:/var/lib/thing"]
    assert "healthcheck" not in made
    assert "ports" not in made
    assert made["deploy"]["resources"]["limits"]["memory"] == "256M"
    assert made["logging"]["options"]["max-size"] == "10m"
    assert made["security_opt"] == ["no-new-privileges:true"]
    assert draft.operation == "add_custom_service"
    assert draft.edits[0].path == "thing/compose.yaml"
    told = " ".join(draft.notes)
    assert "port 3000" in told
    assert "/var/lib/thing" in told
    assert max(r.risk for r in draft.risks) is Risk.MEDIUM


def test_it_lints_as_clean_as_the_catalogs_services() -> None:
    for facts in (FACTS, None):
        draft = propose(
            facts, port=3000, environment={"A": "b $c", "TZ_NAME": "${TZ}"}, generate=("APP_SECRET",), health="true",
            volumes=("cfg:/config", "media:/media:ro"), command="serve --name 'a b'", gpu="vaapi", user="lab",
        )  # fmt: skip
        text, env = draft.edits[0].after or "", parse(draft.edits[1].after or "")
        found = lint([LintStack("thing", "thing/compose.yaml", text, env)])
        assert not [f.as_line() for f in found if f.severity is not Severity.INFO]


def test_without_the_image_it_says_what_it_assumed() -> None:
    draft = propose(None)
    assert "traefik.enable" not in block(draft)["labels"]
    assert any("not on this machine" in n for n in draft.notes)
    assert any("give 'port'" in n for n in draft.notes)
    assert not draft.verification.routes


def test_secrets_are_made_or_left_to_the_person_and_never_passed() -> None:
    draft = propose(
        generate=("APP_KEY",), ask=("API_TOKEN",), files={"thing/.env": "THING_API_TOKEN=from-the-person\n"}
    )
    assert block(draft)["environment"]["APP_KEY"] == "${THING_APP_KEY}"
    env = parse(draft.edits[1].after or "")
    assert (env["THING_APP_KEY"], env["THING_API_TOKEN"]) == (secret("alnum", 32), "from-the-person")
    assert draft.edits[1].secret
    assert set(draft.secrets) == {secret("alnum", 32), "from-the-person"}
    assert refused(ask=("API_TOKEN",)) == "missing_input"
    assert refused(environment={"API_TOKEN": "abc"}) == "secret_in_argument"
    assert refused(environment={"DSN": "postgres://u:hunter22@db/x"}) == "secret_in_argument"


def test_host_folders_are_a_risk_and_the_systems_own_are_refused() -> None:
    draft = propose(volumes=("/srv/photos:/photos:ro", "/etc/localtime:/etc/localtime:ro"))
    assert block(draft)["volumes"][0] == "/srv/photos:/photos:ro"
    assert any(r.risk is Risk.HIGH and "/srv/photos" in r.reason for r in draft.risks)
    assert any("time zone" in n for n in draft.notes)
    socket = propose(volumes=("/var/run/docker.sock:/var/run/docker.sock:ro",))
    assert any(r.risk is Risk.HIGH and "Docker socket" in r.reason for r in socket.risks)
    for path in ("/", "/etc", "/etc/shadow", "/root/.ssh", "/opt", "/opt/stacks", "/opt/stacks/.homelab/x",
                 "/var/lib/docker/volumes", "/srv/../etc", "//etc"):  # fmt: skip
        assert refused(volumes=(f"{path}:/x",)) == "mount_refused", path
    for text in ("relative/x:/x", "a:b", "a:/x:ro:z", "${HOME}:/x", "UPPER:/x"):
        assert refused(volumes=(text,)) in {"bad_volume", "invalid_input"}, text


def test_images_command_ports_gpu_and_the_log_in() -> None:
    latest = propose(image="registry.local:5000/a/thing")
    assert block(latest)["image"] == "registry.local:5000/a/thing:latest"
    assert any("pin a tag" in n for n in latest.notes)
    assert block(propose(image="lscr.io/linuxserver/x:1"))["environment"]["PUID"] == "${PUID}"
    assert block(propose(command="a 'b c' $d"))["command"] == ["a", "b c", "$$d"]
    assert refused(command="a 'b") == "bad_command"
    published = propose(publish=("2222:22", "53:53/udp"))
    assert block(published)["ports"] == ["2222:22", "53:53/udp"]
    assert max(r.risk for r in published.risks) is Risk.HIGH
    nvidia = block(propose(gpu="nvidia"))["deploy"]["resources"]
    assert nvidia["reservations"]["devices"][0]["driver"] == "nvidia"
    assert nvidia["limits"]["memory"] == "256M"
    assert refused(sso="bypass") == "reason_needed"
    open_ = propose(sso="bypass", sso_reason="It has its own.")
    assert block(open_)["labels"]["homelab.sso"] == "bypass"
    assert max(r.risk for r in open_.risks) is Risk.HIGH
    outside = SETTINGS.model_copy(update={"external": {"thing": ExternalRoute(url="http://192.168.1.2")}})
    assert refused(settings=outside) == "host_taken"
