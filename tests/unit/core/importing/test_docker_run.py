"""A docker run line becomes the compose service that does the same."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homelab_mcp.core.importing.docker_run import is_docker_run, parse_docker_run
from homelab_mcp.core.importing.run_flags import FLAGS, SHORT, SWITCHES
from homelab_mcp.model.errors import InvalidInput


def one(text: str) -> dict[str, Any]:
    (service,) = parse_docker_run(text).services.values()
    return service


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ("-p 8080:80 -p127.0.0.1:53:53/udp", {"ports": ["8080:80", "127.0.0.1:53:53/udp"]}),
        ("--publish=80:80", {"ports": ["80:80"]}),
        ("-v data:/data -v \"$(pwd)/x\":/x:ro", {"volumes": ["data:/data", "$PWD/x:/x:ro"]}),
        ("-v `pwd`/x:/x", {"volumes": ["$PWD/x:/x"]}),
        ("--mount type=bind,src=/srv,dst=/s,readonly",
         {"volumes": [{"type": "bind", "source": "/srv", "target": "/s", "read_only": True}]}),
        ("--mount type=tmpfs,dst=/t,tmpfs-size=64m", {"tmpfs": ["/t:size=64m"]}),
        ("--mount source=v,target=/v", {"volumes": [{"type": "volume", "source": "v", "target": "/v"}]}),
        ("-e A=1 --env=B='x y' -e C", {"environment": {"A": "1", "B": "x y", "C": None}}),
        ("-l a=b --label c", {"labels": {"a": "b", "c": ""}}),
        ("--name web --hostname h -w /app -u 1000:1000 --entrypoint /bin/x",
         {"container_name": "web", "hostname": "h", "working_dir": "/app", "user": "1000:1000",
          "entrypoint": ["/bin/x"]}),
        ("--network lan --network-alias db", {"networks": {"lan": {"aliases": ["db"]}}}),
        ("--net host", {"network_mode": "host"}),
        ("--network container:vpn", {"network_mode": "container:vpn"}),
        ("--network bridge", {}),
        ("--cap-add NET_ADMIN --cap-drop=ALL --device /dev/x --group-add 44",
         {"cap_add": ["NET_ADMIN"], "cap_drop": ["ALL"], "devices": ["/dev/x"], "group_add": ["44"]}),
        ("-m 512m --cpus 1.5 --pids-limit 100 --memory-reservation 1m --shm-size 1g",
         {"deploy": {"resources": {"limits": {"memory": "512m", "cpus": "1.5", "pids": 100},
                                   "reservations": {"memory": "1m"}}}, "shm_size": "1g"}),
        ("--gpus all", {"deploy": {"resources": {"reservations": {"devices": [
            {"driver": "nvidia", "count": "all", "capabilities": ["gpu"]}]}}}}),
        ("--gpus '\"device=0,1\"'", {"deploy": {"resources": {"reservations": {"devices": [
            {"driver": "nvidia", "device_ids": ["0", "1"], "capabilities": ["gpu"]}]}}}}),
        ("--gpus 2", {"deploy": {"resources": {"reservations": {"devices": [
            {"driver": "nvidia", "count": 2, "capabilities": ["gpu"]}]}}}}),
        ("--health-cmd 'curl localhost:$PORT || exit 1' --health-interval=5s --health-retries 2",
         {"healthcheck": {"test": ["CMD-SHELL", "curl localhost:$$PORT || exit 1"], "interval": "5s", "retries": 2}}),
        ("--no-healthcheck", {"healthcheck": {"disable": True}}),
        ("--add-host a:1.2.3.4 --dns 9.9.9.9 --dns-search x", {
            "extra_hosts": ["a:1.2.3.4"], "dns": ["9.9.9.9"], "dns_search": ["x"]}),
        ("--ulimit nofile=1:2 --ulimit core=0", {"ulimits": {"nofile": {"soft": 1, "hard": 2}, "core": 0}}),
        ("--sysctl net.core.somaxconn=1024 --tmpfs /run",
         {"sysctls": {"net.core.somaxconn": "1024"}, "tmpfs": ["/run"]}),
        ("--log-driver json-file --log-opt max-size=1m", {
            "logging": {"driver": "json-file", "options": {"max-size": "1m"}}}),
        ("--init --privileged --read-only --pid host --ipc=host --security-opt seccomp=unconfined",
         {"init": True, "privileged": True, "read_only": True, "pid": "host", "ipc": "host",
          "security_opt": ["seccomp=unconfined"]}),
        ("--stop-timeout 20 --stop-signal SIGINT --platform linux/arm64 --pull always --restart=always",
         {"stop_grace_period": "20s", "stop_signal": "SIGINT", "platform": "linux/arm64", "restart": "always"}),
        ("-dit --rm -d=false --sig-proxy=false", {}),
    ],
)  # fmt: skip
def test_each_flag_becomes_its_key(flags: str, expected: dict[str, Any]) -> None:
    assert one(f"docker run {flags} nginx:1.29") == {"image": "nginx:1.29", **expected}


def test_lines_that_go_on_prompts_sudo_and_other_commands() -> None:
    parsed = parse_docker_run(
        "# first\n$ docker network create lan\nsudo docker pull nginx\n"
        "sudo docker container run -d \\\n  --name My.Web \\\n  -p 80:80 nginx:1 "
        "nginx -g 'daemon off;' && docker logs web\n"
        "docker run redis:8 ; podman --log-level=debug run redis:8\n"
    )
    assert list(parsed.services) == ["my-web", "redis", "redis-2"]
    assert parsed.services["my-web"]["command"] == ["nginx", "-g", "daemon off;"]
    assert parsed.lost == ["'docker logs web' is no docker run and was left out."]


def test_windows_lines_and_substitutions_run_nothing() -> None:
    service = one("docker run -d ^\r\n -v %cd%/data:/data `\n -e WHO=$(id -u) -e U=$USER web:1")
    assert service["volumes"] == ["$PWD/data:/data"]
    assert service["environment"] == {"WHO": "$(id_-u)", "U": "$USER"}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("docker ps", "not_docker_run"),
        ("docker run", "no_image"),
        ("docker run -d --name x", "no_image"),
        ("docker run --name", "bad_command"),
        ("docker run -e 'A=1 nginx", "bad_command"),
        ("docker run --frobnicate x nginx", "unknown_flag"),
        ("docker run -Z nginx", "unknown_flag"),
    ],
)
def test_what_cannot_be_read_is_refused_with_a_way_out(text: str, code: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_docker_run(text)
    assert caught.value.code == code
    assert caught.value.hint


def test_what_has_no_key_is_named() -> None:
    parsed = parse_docker_run("docker run --env-file .env --link db --ip 1.2.3.4 --volumes-from x nginx:1")
    assert len(parsed.lost) == 4
    assert all(told.startswith("nginx: ") for told in parsed.lost)


def test_a_command_line_and_a_compose_text_are_told_apart() -> None:
    assert is_docker_run("  docker run nginx")
    assert is_docker_run("# how to\n$ sudo docker run nginx")
    assert not is_docker_run("services:\n  a:\n    image: nginx\n    command: docker run x\n")


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.sampled_from([*(f"--{n}" for n in (*FLAGS, *SWITCHES)), *(f"-{n}" for n in SHORT), "x=1", "a:b", "'"]))
)
def test_any_line_is_read_or_refused(words: list[str]) -> None:
    try:
        parse_docker_run(f"docker run {' '.join(words)} image:1")
    except InvalidInput as error:
        assert error.code in {"not_docker_run", "no_image", "bad_command", "unknown_flag"}
