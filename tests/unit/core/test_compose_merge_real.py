"""Our merged model beside what the real Compose makes of the same files."""

# ruff: noqa: E501 (one case a line reads best)

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from homelab_mcp.core.compose_load import load_stack
from homelab_mcp.core.compose_stack import Kind
from tests.unit.core.compose_real import ours, real_model, theirs, write

KEYS = st.sampled_from(["A", "B", "C", "LONG_NAME"])
VALUES = st.sampled_from(["1", "x=y", "", "a b", "true"])
SCALARS = st.sampled_from(["1", "x", "", True, 0, 7, 1.5, None])


def pairs(scalars: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    written = st.one_of(KEYS, st.builds("{}={}".format, KEYS, VALUES))
    return st.dictionaries(KEYS, scalars, max_size=3) | st.lists(
        written, max_size=4, unique_by=lambda t: t.split("=")[0]
    )


# A long form's number and the same as text are one port to Compose's schema and two to its merge, which it then refuses.
PORTS = st.sampled_from(
    [
        "80:80",
        "127.0.0.1:80:80",
        "0.0.0.0:80:80",
        "80:80/udp",
        "90-92:90-92",
        "91-93:91-93",
        "80",
        80,
        "9000-9005:99",
        {"target": 80, "published": "80"},
        {"target": 80},
        {"target": 91, "published": "91"},
        {"target": 80, "published": "80", "protocol": "udp", "mode": "host"},
        {"target": 80, "host_ip": "127.0.0.1"},
    ]
)


def apart(items: list[Any]) -> bool:
    """True when no two ports of one file are the same: those are left as they are written, for a rule to tell."""
    single = [p for item in items for p in ours({"ports": [item]})["ports"]]
    return len({(address.replace("0.0.0.0", ""), *rest) for address, *rest in single}) == len(single)


VOLUMES = st.sampled_from(
    [
        "./a:/a",
        "./b:/a",
        "./a:/a/",
        "named:/a:ro",
        "/x:/b:ro",
        "/anonymous",
        "named:/b",
        "../up:/c",
        {"type": "bind", "source": "./a", "target": "/a"},
        {"type": "volume", "source": "named", "target": "/b"},
        {"type": "tmpfs", "target": "/c"},
    ]
)
NAMES = st.sampled_from(["n1", "n2", "n3"])
NETWORKS = st.lists(NAMES, min_size=1, max_size=3, unique=True) | st.dictionaries(
    NAMES,
    st.none() | st.fixed_dictionaries({"aliases": st.lists(NAMES, min_size=1, max_size=2, unique=True)}),
    min_size=1,
)
HELPERS = st.sampled_from(["h1", "h2"])
CONDITIONS = st.sampled_from(["service_started", "service_healthy"])
DEPENDS = st.lists(HELPERS, min_size=1, max_size=2, unique=True) | st.dictionaries(
    HELPERS, st.fixed_dictionaries({"condition": CONDITIONS}, optional={"restart": st.just(True)}), min_size=1
)
WORDS = st.lists(st.sampled_from(["a", "b", "c"]), max_size=3, unique=True)
BODY = {
    "command": st.none() | st.sampled_from(["run it", ["a", "b"], []]),
    "environment": pairs(SCALARS),
    "labels": pairs(SCALARS),
    "ports": st.lists(PORTS, max_size=4).filter(apart),
    "volumes": st.lists(VOLUMES, max_size=4, unique_by=lambda v: ours({"volumes": [v]})["volumes"][0][2]),
    "networks": NETWORKS,
    "depends_on": DEPENDS,
    "cap_add": WORDS,
    "dns": st.sampled_from(["1.1.1.1", ["1.1.1.1", "8.8.8.8"], ["9.9.9.9"]]),
    "expose": st.lists(st.sampled_from(["80", "81", 80]), max_size=2, unique_by=str),
    "profiles": st.just(["p"]),
    "tmpfs": st.sampled_from(["/t", ["/t", "/u"], ["/v:size=1m"]]),
    "healthcheck": st.fixed_dictionaries({"test": st.sampled_from(["true", ["CMD", "x"], ["NONE"]])}),
    "logging": st.sampled_from(
        [{"driver": "json-file", "options": {"max-size": "1m"}}, {"driver": "local"}, {"options": {"max-file": "2"}}]
    ),
    "devices": st.lists(
        st.sampled_from(["/dev/a", "/dev/b:/dev/a", "/dev/c:/dev/c:r"]),
        max_size=2,
        unique_by=lambda d: d.split(":")[-1],
    ),
    "sysctls": st.sampled_from([{"a": 1}, {"b": "2"}, ["a=3"]]),
    "extra_hosts": st.sampled_from([["a=1.1.1.1"], ["b=2.2.2.2", "a=1.1.1.1"], {"c": "3.3.3.3"}]),
    "build": st.sampled_from([".", {"context": "x", "args": {"A": "1"}}, {"args": ["A=2", "B"]}]),
}
SERVICE = st.fixed_dictionaries({}, optional=BODY)
PAIR = st.tuples(SERVICE, SERVICE, st.none() | SERVICE)
HEAD: dict[str, Any] = {
    "networks": {n: {} for n in ("n1", "n2", "n3")},
    "volumes": {"named": {}},
}


def files_of(pairs_: list[tuple[Any, Any, Any]]) -> dict[str, str]:
    """Three files with the generated services side by side, so that one run of Compose answers for all."""
    helpers = {name: {"image": "h", "healthcheck": {"test": "x"}} for name in ("h1", "h2")}
    base = {f"s{n}": {"image": f"i:{n}", **first} for n, (first, _, _) in enumerate(pairs_)}
    over = {f"s{n}": second for n, (_, second, _) in enumerate(pairs_)}
    last = {f"s{n}": third for n, (_, _, third) in enumerate(pairs_) if third is not None}
    return {
        "base.yaml": json.dumps({**HEAD, "services": {**helpers, **base}}),
        "over.yaml": json.dumps({"services": over}),
        "last.yaml": json.dumps({"services": last}),
    }


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.lists(PAIR, min_size=1, max_size=8))
def test_services_of_three_files_are_merged_as_compose_merges_them(cases: list[tuple[Any, Any, Any]]) -> None:
    texts = files_of(cases)
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), texts)
        real, said = real_model(Path(folder), list(texts))
    loaded = load_stack(list(texts.items()), {}, None)
    assert loaded.merged is not None
    assert real is not None, said
    for n in range(len(cases)):
        assert ours(loaded.merged.services[f"s{n}"]) == theirs(real["services"][f"s{n}"])


BASE = "services: {a: {image: x, deploy: {replicas: 1}, ports: ['80:80'], environment: {A: 1, B: 2}, command: [c]}}\n"
TAGS = "services: {a: {ports: !override ['82:82'], environment: {A: !reset null}, command: !reset []}}\n"
SUB = "services: {c: {image: y, build: ., env_file: [e.env], volumes: ['./d:/d', 'vv:/v', '../up:/u']}}\nvolumes: {vv: }\n"
EXTENDED = """services:
  base: {env_file: x.env, build: {context: ctx}, volumes: ['./o:/o'], extends: {service: more, file: deep/m.yaml}}
  unused: {imgae: 5}
"""
DIAMOND = {
    "a.yaml": "include: [c.yaml]\nservices: {a: {image: x}}\n",
    "b.yaml": "include: [c.yaml]\nservices: {b: {image: x}}\n",
    "c.yaml": "services: {c: {image: x, ports: ['80:80'], volumes: ['./q:/q']}}\nnetworks: {n: {}}\n",
}
A = "services: {a: {image: x}}\n"
# name: (texts, those given with -f, what is wrong with them: both must say so, or neither)
STACKS: dict[str, tuple[dict[str, str], tuple[str, ...], Kind | None]] = {
    "documents": (
        {"f": "services: {a: {image: x, labels: [a=1]}}\n---\nservices: {a: {labels: {b: 2}}}\n"},
        ("f",),
        None,
    ),
    "tags": ({"f": BASE, "g": TAGS}, ("f", "g"), None),
    "tags on nothing": ({"f": TAGS.replace("a:", "a:", 1).replace("{ports", "{image: x, ports")}, ("f",), None),
    "a list for a mapping": ({"f": BASE, "g": "services: {a: {deploy: [1]}}\n"}, ("f", "g"), Kind.CONFLICT),
    "extends in a file": (
        {"f": "services: {a: {extends: b}, b: {extends: c}, c: {image: x, ports: [80]}}\n"},
        ("f",),
        None,
    ),
    "extends of another -f": ({"f": A, "g": "services: {b: {extends: a}}\n"}, ("f", "g"), Kind.NO_SERVICE),
    "extends of an include": ({"f": "include: [g]\nservices: {b: {extends: a}}\n", "g": A}, ("f",), Kind.NO_SERVICE),
    "extends nobody": ({"f": "services: {a: {image: x, extends: {service: b}}}\n"}, ("f",), Kind.NO_SERVICE),
    "extends nobody there": (
        {"f": "services: {a: {extends: {service: b, file: g}}}\n", "g": A},
        ("f",),
        Kind.NO_SERVICE,
    ),
    "extends no file": ({"f": "services: {a: {extends: {service: b, file: g}}}\n"}, ("f",), Kind.MISSING),
    "extends in a circle": ({"f": "services: {a: {image: x, extends: b}, b: {extends: a}}\n"}, ("f",), Kind.CIRCLE),
    "extends around two files": (
        {
            "f": "services: {a: {extends: {service: b, file: g}}}\n",
            "g": "services: {b: {extends: {service: a, file: f}}}\n",
        },
        ("f",),
        Kind.CIRCLE,
    ),
    "extends the same name": (
        {
            "f": "services: {a: {extends: {service: a, file: g}, labels: [x=2]}}\n",
            "g": "services: {a: {image: x, labels: {x: 1}}}\n",
        },
        ("f",),
        None,
    ),
    "extends over folders": (
        {
            "f": "services: {a: {image: x, extends: {service: base, file: other/base.yaml}}}\n",
            "other/base.yaml": EXTENDED,
            "other/x.env": "B=1\n",
            "other/deep/m.yaml": "services: {more: {volumes: ['./z:/z']}}\n",
        },
        ("f",),
        None,
    ),
    "extends and resets": (
        {
            "f": "services: {a: {extends: b, ports: !reset [], command: !override [z]}, b: {image: x, ports: [80], command: [y]}}\n"
        },
        ("f",),
        None,
    ),
    "include": ({"f": f"include: [sub/b.yaml]\n{A}", "sub/b.yaml": SUB, "sub/e.env": "A=1\n"}, ("f",), None),
    "include and project_directory": (
        {
            "f": f"include: [{{path: [sub/b.yaml, sub/o.yaml], project_directory: .}}]\n{A}",
            "sub/b.yaml": "services: {c: {image: y, volumes: ['./d:/d']}}\n",
            "sub/o.yaml": "services: {c: {volumes: ['./e:/e'], labels: [a=b]}}\n",
        },
        ("f",),
        None,
    ),
    "include twice": ({"f": "include: [a.yaml, b.yaml]\n", **DIAMOND}, ("f",), None),
    "include over -f": ({"f": A, "g": "include: [a.yaml]\nservices: {}\n", **DIAMOND}, ("f", "g"), None),
    "include and conflict": ({"f": f"include: [g]\n{A}", "g": A.replace("x", "y")}, ("f",), Kind.CONFLICT),
    "include and network": (
        {"f": f"include: [g]\n{A}networks: {{n: {{external: true}}}}\n", "g": "networks: {n: {external: true}}\n"},
        ("f",),
        None,
    ),
    "include no file": ({"f": f"include: [gone.yaml]\n{A}"}, ("f",), Kind.MISSING),
    "include no env_file": (
        {"f": f"include: [{{path: g, env_file: gone.env}}]\n{A}", "g": "services: {b: {image: x}}\n"},
        ("f",),
        Kind.MISSING,
    ),
    "include in a circle": (
        {"f": f"include: [g]\n{A}", "g": "include: [f]\nservices: {q: {image: x}}\n"},
        ("f",),
        Kind.CIRCLE,
    ),
    "include with env_file": (
        {
            "f": f"include: [{{path: sub/b.yaml, env_file: my.env}}]\n{A}",
            "sub/b.yaml": "services: {c: {image: 'y:${T}', labels: {q: '${U:-no}'}}}\n",
            "my.env": "T=5\n",
            "sub/.env": "U=sub\n",
        },
        ("f",),
        None,
    ),
    "include with .env": (
        {"f": f"include: [sub/b.yaml]\n{A}", "sub/b.yaml": "services: {c: {image: 'y:${U}'}}\n", "sub/.env": "U=sub\n"},
        ("f",),
        None,
    ),
}


@pytest.mark.parametrize("name", STACKS)
def test_stacks_of_several_files(name: str, tmp_path: Path) -> None:
    texts, named, wrong = STACKS[name]
    write(tmp_path, texts)
    real, said = real_model(tmp_path, named)
    loaded = load_stack([(file, texts[file]) for file in named], {}, Disk(texts).read)
    assert {t.kind for t in loaded.troubles} == ({wrong} if wrong else set()), said
    assert (real is None) == (wrong is not None), said
    if real is None:
        return
    assert loaded.merged is not None and not loaded.partial
    assert set(loaded.merged.services) == set(real["services"])
    assert set(loaded.merged.section("networks")) | {"default"} >= set(real.get("networks", {}))
    for service, body in loaded.merged.services.items():
        mine, other = ours(body), theirs(real["services"][service])
        # Compose shows what the files say, not which they are.
        del mine["env_file"], other["env_file"], mine["environment"], other["environment"]
        assert mine == other


class Disk:
    """Texts by path, as a folder would have them."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self.texts = texts

    def read(self, path: str) -> str | None:
        return self.texts.get(path)
