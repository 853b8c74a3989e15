"""update_service: only what was asked for changes, what hangs on it follows, and what cannot be is refused."""

from typing import Any

import pytest

from homelab_mcp.core import yaml12
from homelab_mcp.core.gpu import Gpus, RenderNode
from homelab_mcp.core.operations.change_request import UpdateServiceRequest
from homelab_mcp.core.operations.remove_service import remove_service
from homelab_mcp.core.operations.request import RemoveServiceRequest
from homelab_mcp.core.operations.update_service import update_service
from homelab_mcp.core.operations.update_work import Machine
from homelab_mcp.core.resources import Host, Usage
from homelab_mcp.model.errors import HomelabError
from homelab_mcp.model.observed import Snapshot
from homelab_mcp.model.plan import ActionKind, Draft, Risk
from tests.unit.core.operation_parts import SETTINGS, find, lab
from tests.unit.core.test_operations_add_service import propose, worst
from tests.unit.core.test_operations_remove_and_env import apply

MINE = """\
# by hand
services:
  blog:
    image: ghost:5.1   # pinned
    restart: unless-stopped
    environment:
      - url=https://blog.lab.test
      - TZ=${TZ}
      - MODE
    volumes:
      - ./blog/data:/data   # posts
    mem_limit: 512m
    labels:
      - traefik.enable=true
      - traefik.http.routers.blog.rule=Host(`blog.lab.test`) || Host(`www.lab.test`)
      - traefik.http.routers.blog.middlewares=compress@file
      - homepage.href=https://blog.lab.test/
"""
ENV = "DOMAIN=lab.test\nTZ=UTC\nMODE=live\n"
HOST = Host(cpus=2, memory=4 * 2**30)
# Stands for a real machine's /dev/dri and /proc/driver/nvidia, which no test machine has.
FAKE_GPUS = Gpus(nvidia=True, toolkit=True, nodes=(RenderNode("/dev/dri/renderD128", "intel", 104),))


def mine() -> Snapshot:
    return lab(apps=(MINE, ENV))


def made(service: str) -> Snapshot:
    """A lab with a service from the catalog."""
    before = lab(apps=(MINE, ENV))
    return apply(before, propose(before, service))


def update(snapshot: Snapshot, service: str = "blog", machine: Machine | None = None, **changes: Any) -> Draft:
    request = UpdateServiceRequest(stack="apps", service=service, **changes)
    return update_service(snapshot, SETTINGS, request, find=find, machine=machine or Machine(HOST))


def service_of(draft: Draft, name: str = "blog") -> dict[str, Any]:
    found: dict[str, Any] = yaml12.load(draft.edits[0].after or "")["services"][name]
    return found


def went_and_came(draft: Draft) -> tuple[list[str], list[str]]:
    old, new = (t.split("\n") for t in (draft.edits[0].before or "", draft.edits[0].after or ""))
    return [line for line in old if line not in new], [line for line in new if line not in old]


def refusal(snapshot: Snapshot, service: str = "blog", machine: Machine | None = None, **changes: Any) -> str:
    with pytest.raises(HomelabError) as caught:
        update(snapshot, service, machine, **changes)
    assert caught.value.hint
    return caught.value.code


def test_a_tag_changes_one_line_is_pulled_first_and_the_old_one_is_named() -> None:
    draft = update(mine(), tag="5.2")

    assert went_and_came(draft) == (
        ["    image: ghost:5.1   # pinned"],
        ["    image: ghost:5.2   # pinned"],
    )
    assert [a.kind for a in draft.actions] == [ActionKind.PULL, ActionKind.UP]
    assert "5.1" in draft.undo and worst(draft) is Risk.MEDIUM
    assert any("back it up" in r.reason for r in update(mine(), tag="6.0").risks)
    assert not any("back it up" in r.reason for r in draft.risks)


@pytest.mark.parametrize(
    ("image", "after", "env"),
    [
        ("ghost@sha256:" + "a" * 64, "ghost:2", None),
        ("reg.example:5000/x/ghost", "reg.example:5000/x/ghost:2", None),
        ("ghost:${TAG:-1}", "ghost:${TAG:-1}", "2"),
        ("${REG}/ghost:1", "${REG}/ghost:2", None),
    ],
)
def test_a_tag_is_changed_where_it_is_written(image: str, after: str, env: str | None) -> None:
    draft = update(lab(apps=(MINE.replace("ghost:5.1", image), ENV)), tag="2")

    assert service_of(draft)["image"] == after if env is None else draft.edits[0].path == "apps/.env"
    assert env is None or f"TAG={env}\n" in (draft.edits[0].after or "")


def test_another_subdomain_takes_rule_href_variable_and_nothing_else_along() -> None:
    draft = update(mine(), subdomain="journal")

    block = service_of(draft)
    assert "traefik.http.routers.blog.rule=Host(`journal.lab.test`) || Host(`www.lab.test`)" in block["labels"]
    assert "homepage.href=https://journal.lab.test/" in block["labels"]
    assert block["environment"][0] == "url=https://journal.lab.test"
    assert len(went_and_came(draft)[0]) == 3
    assert [r.host for r in draft.verification.routes] == ["journal.lab.test"]
    assert refusal(made("web"), subdomain="web") == "host_taken"


def test_a_catalog_service_moves_with_dockges_address_and_is_still_removed_whole() -> None:
    first = lab(apps=(MINE, ENV))
    snapshot = apply(first, propose(first, "web"))
    draft = update(snapshot, "web", subdomain="pages", port=81)

    after = draft.edits[0].after or ""
    assert "https://pages.${DOMAIN}" in str(yaml12.load(after)["x-dockge"]) and "web.${DOMAIN}" not in after
    assert service_of(draft, "web")["labels"]["traefik.http.services.web.loadbalancer.server.port"] == "81"
    changed = apply(snapshot, draft)
    removed = remove_service(changed, SETTINGS, RemoveServiceRequest(stack="apps", service="web"), find=find)
    assert removed.edits[0].after == MINE


def test_sign_on_goes_on_and_off_with_its_reason_beside_it() -> None:
    on = update(mine(), sso="protect")
    assert "traefik.http.routers.blog.middlewares=authelia@docker,compress@file" in service_of(on)["labels"]
    assert on.verification.routes[0].sso

    off = update(apply(mine(), on), sso="bypass", sso_reason="It is a public blog.")
    assert "traefik.http.routers.blog.middlewares=compress@file" in service_of(off)["labels"]
    assert "homelab.sso.reason=It is a public blog." in service_of(off)["labels"]
    assert worst(off) is Risk.HIGH
    assert refusal(mine(), sso="bypass") == "reason_needed"
    assert update(apply(mine(), off), sso="protect").edits[0].after == on.edits[0].after


def test_limits_keep_to_the_files_own_keys_and_to_the_host() -> None:
    draft = update(mine(), limits={"memory": "1G", "cpus": "1.5", "pids": 300, "io_weight": 200})

    block = service_of(draft)
    assert block["mem_limit"] == "1G"
    assert block["deploy"]["resources"]["limits"] == {"cpus": "1.5", "pids": 300}
    assert block["blkio_config"] == {"weight": 200}
    assert refusal(mine(), limits={"memory": "64G"}) == "limit_too_high"
    assert refusal(mine(), limits={"cpus": "16"}) == "limit_too_high"


def test_a_class_is_scaled_down_on_a_small_host_and_says_so() -> None:
    draft = update(mine(), machine=Machine(Host(1, 2**30)), resources="media")

    block = service_of(draft)
    assert "mem_limit" not in block
    assert block["deploy"]["resources"] == {
        "limits": {"cpus": "1.0", "memory": "768M", "pids": 2048},
        "reservations": {"cpus": "0.5", "memory": "384M"},
    }
    assert "scaled" in draft.notes[0]
    assert update(mine(), resources="tiny").notes == ()


def test_measured_limits_say_how_long_was_looked() -> None:
    used = (Usage(100 * 2**20, 0.2, 20), Usage(200 * 2**20, 0.4, 30))
    draft = update(mine(), machine=Machine(HOST, used=used, looked=10), resources="measured")

    assert service_of(draft)["mem_limit"] == "320M"
    assert service_of(draft)["deploy"]["resources"]["limits"] == {"cpus": "1.0", "pids": 128}
    assert "10 s only" in draft.notes[0] and "200 MiB" in draft.notes[0]
    assert refusal(mine(), resources="measured") == "not_measured"


def test_a_gpu_comes_as_the_host_has_it_and_goes_without_a_trace() -> None:
    with_gpu = Machine(HOST, FAKE_GPUS)
    nvidia = update(mine(), machine=with_gpu, gpu="on")
    reserved = service_of(nvidia)["deploy"]["resources"]["reservations"]["devices"]
    assert reserved == [{"driver": "nvidia", "count": "all", "capabilities": ["gpu"]}]

    intel = update(apply(mine(), nvidia), machine=with_gpu, gpu="intel")
    assert service_of(intel)["devices"] == ["/dev/dri:/dev/dri"]
    assert service_of(intel)["group_add"] == ["104"]
    assert "deploy" not in service_of(intel)
    assert update(apply(mine(), intel), machine=with_gpu, gpu="off").edits[0].after == MINE
    assert refusal(mine(), gpu="on") == "gpu_not_possible"
    assert refusal(mine(), machine=Machine(HOST, Gpus(nvidia=True)), gpu="nvidia") == "gpu_not_possible"
    assert refusal(mine(), machine=with_gpu, gpu="amd") == "gpu_not_possible"
    assert refusal(made("web"), "web", with_gpu, gpu="intel") == "gpu_not_possible"


def test_volumes_come_and_go_by_place_and_shares_by_their_server() -> None:
    draft = update(
        mine(), volumes_add=["./blog/themes:/themes:ro", "cache:/cache", "nfs://nas.lan/export/Pics:/pics:ro"]
    )
    document = yaml12.load(draft.edits[0].after or "")

    assert document["services"]["blog"]["volumes"][1:] == [
        "./blog/themes:/themes:ro",
        "cache:/cache",
        "blog-pics:/pics:ro",
    ]
    options = {"type": "nfs", "o": "addr=nas.lan,nfsvers=4,ro", "device": ":/export/Pics"}
    assert document["volumes"] == {"cache": None, "blog-pics": {"driver": "local", "driver_opts": options}}
    back = update(apply(mine(), draft), volumes_remove=["/themes", "cache", "/data"])
    assert service_of(back)["volumes"] == ["blog-pics:/pics:ro"]
    assert "./blog/data" in " ".join(back.notes)
    assert refusal(mine(), volumes_add=["./x:/data"]) == "mount_taken"
    assert refusal(mine(), volumes_add=["nonsense"]) == "bad_value"
    assert refusal(mine(), volumes_remove=["/nothing"]) == "not_mounted"
    assert worst(update(mine(), volumes_add=["/srv/x:/x"])) is Risk.HIGH


def test_a_windows_share_takes_its_password_from_the_env_file_alone() -> None:
    wanted: dict[str, Any] = {"volumes_add": ["cifs://nas/photos:/photos"]}
    assert refusal(mine(), **wanted) == "missing_input"

    draft = update(lab(apps=(MINE, f"{ENV}CIFS_USERNAME=me\nCIFS_PASSWORD=geheim-93\n")), **wanted)
    text = draft.edits[0].after or ""
    assert "password=${CIFS_PASSWORD}" in text and "geheim-93" not in text
    assert "readable by whoever may ask Docker" in " ".join(draft.notes)


def test_variables_go_where_the_file_has_them() -> None:
    draft = update(mine(), env_set={"TZ": "Europe/Rome", "MODE": "draft", "NEW": "a $b"}, env_unset=["url"])

    assert service_of(draft)["environment"] == ["TZ=${TZ}", "MODE", "NEW=a $$b"]
    assert "TZ=Europe/Rome\nMODE=draft\n" in (draft.edits[1].after or "")
    assert refusal(mine(), env_set={"API_TOKEN": "x"}) == "secret_in_argument"
    assert refusal(mine(), env_unset=["GONE"]) == "unknown_variable"


def test_health_restart_and_copies() -> None:
    draft = update(mine(), health="wget -qO- http://localhost/ping", restart="always")
    assert service_of(draft)["healthcheck"]["test"] == ["CMD-SHELL", "wget -qO- http://localhost/ping"]
    assert service_of(draft)["restart"] == "always"

    off = update(mine(), health="off", health_reason="No shell in it.")
    assert service_of(off)["healthcheck"] == {"disable": True}
    assert refusal(mine(), health="off") == "reason_needed"
    assert refusal(mine(), replicas=2) == "not_scalable"
    stateless = MINE.replace("    volumes:\n      - ./blog/data:/data   # posts\n", "")
    assert service_of(update(lab(apps=(stateless, ENV)), replicas=2))["deploy"] == {"replicas": 2}


def test_a_route_that_a_gateway_carries_is_changed_there_and_both_are_made_anew() -> None:
    snapshot = made("torrent")
    draft = update(snapshot, "torrent", subdomain="peers")

    assert "peers.${DOMAIN}" in str(service_of(draft, "tunnel")["labels"])
    assert set(draft.actions[-1].services) == {"torrent", "tunnel"}


def test_nothing_to_do_and_what_is_not_there_are_said() -> None:
    assert refusal(mine(), tag="5.1") == "nothing_to_do"
    assert refusal(mine(), "nobody", tag="1") == "service_unknown"
    no_route = lab(apps=("services:\n  blog:\n    image: x\n", ""))
    assert refusal(no_route, subdomain="x") == refusal(no_route, port=80) == refusal(no_route, sso="protect")


def test_a_second_factor_stays_with_log_in_and_groups_go_with_a_bypass() -> None:
    strict = MINE.replace(
        "    labels:\n", "    labels:\n      - homelab.sso=two_factor\n      - homelab.sso.groups=family\n"
    )
    assert strict != MINE
    on = update(lab(apps=(strict, ENV)), sso="protect")
    assert {"homelab.sso=two_factor", "homelab.sso.groups=family"} <= set(service_of(on)["labels"])
    off = update(apply(lab(apps=(strict, ENV)), on), sso="bypass", sso_reason="It is a public blog.")
    assert [e for e in service_of(off)["labels"] if "sso" in e and "reason" not in e] == ["homelab.sso=bypass"]


def test_a_health_check_that_others_wait_for_stays() -> None:
    waiting = MINE + "  late:\n    image: late:1\n    depends_on: {blog: {condition: service_healthy}}\n"
    assert refusal(lab(apps=(waiting, ENV)), health="off", health_reason="None fits.") == "health_awaited"
