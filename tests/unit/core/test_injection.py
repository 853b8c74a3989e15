"""Untrusted text stays text: in templates, in labels, in argument lists; and a catalog's bytes are in the digest."""

from __future__ import annotations

import random
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from homelab_mcp.core import plan_codec
from homelab_mcp.core.catalog import parse_definition
from homelab_mcp.core.compose_model import read_compose
from homelab_mcp.core.operations.add_service import add_service
from homelab_mcp.core.operations.request import AddServiceRequest, ServiceOptions
from homelab_mcp.model.errors import HomelabError
from homelab_mcp.model.observed import Snapshot
from homelab_mcp.model.plan import Plan, Requester, Risk
from tests.unit.core.operation_parts import SETTINGS, secret

SOURCE = Path(__file__).parents[3] / "src" / "homelab_mcp"
DEFINITION = Path(__file__).parents[3] / "catalog" / "media" / "jellyfin.yaml"
TEMPLATES = [
    "{{ 7*7 }}", "{{7*'7'}}", "{% for x in range(9) %}y{% endfor %}", "{{ config }}", "{{ self.__init__.__globals__ }}",
    "{{ ''.__class__.__mro__[1].__subclasses__() }}", "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
    "{# gone #}", "{%raw%}x{%endraw%}", "{{ 'a'*300000000 }}", "${{ 7*7 }}", "#{7*7}", "<%= 7*7 %>", "{7*7}", "%(x)s",
    "{0.__class__}", "{x!r:>9999999}", "@{7*7}", "{{=7*7}}", "{{ lipsum.__globals__ }}",
]  # fmt: skip
LABELS = [
    "`) || Host(`auth.lab.test", "a`) || PathPrefix(`/", "a`)", "a)||(", '"||Host("x', "a || b", "a && !b", "*", "a,b",
    "{x:.+}", "a b", "a\nlabels", "a`", "HostRegexp(`.+`)", "a.b`,`c", "-a", "ä", "A", "a" * 64,
]  # fmt: skip


def draft_of(text: str, **options: Any) -> Any:
    found = parse_definition(text, "jellyfin.yaml")
    return add_service(
        Snapshot((), None),
        SETTINGS,
        AddServiceRequest(service=found.id, stack="media", options=ServiceOptions(**options)),
        find=lambda _: found,
        secrets=secret,
        argon2=lambda value: f"$argon2id${value}",
        root="/srv/lab",
        read=lambda _: None,
    )


def digest_of(text: str) -> str:
    draft = draft_of(text)
    plan = Plan("0" * 32, draft, Risk.LOW, (), (), {}, Requester("mcp"), 0.0, 1.0)
    return plan_codec.seal(plan).digest


def compose_of(draft: Any) -> dict[str, Any]:
    text = next(e.after for e in draft.edits if e.path.endswith("compose.yaml"))
    return dict(read_compose(text, {}).data)


@pytest.mark.parametrize("text", TEMPLATES)
def test_no_template_in_a_definition_is_evaluated(text: str) -> None:
    data = yaml.safe_load(DEFINITION.read_text())
    data["homepage"]["description"] = text
    data["container"]["environment"] = {**data["container"].get("environment", {}), "PAYLOAD": text}
    try:
        draft = draft_of(yaml.safe_dump(data, allow_unicode=True))
    except HomelabError:
        return
    body = compose_of(draft)["services"]["jellyfin"]
    assert str(body["environment"]["PAYLOAD"]).replace("$$", "$") == text
    assert "4949" not in str(body)


def test_nothing_here_evaluates_text() -> None:
    """No template engine gets its text from anywhere but a file of the package, and nothing runs text as code."""
    words = (
        r"(?<!Blob\.)from_string",
        r"\beval\(",
        r"\bexec\(",
        r"Template\(",
        "shell=True",
        r"os\.system",
        r"popen\(",
    )
    asked = re.compile("|".join(words))
    found = [
        f"{path.name}: {line.strip()}"
        for path in SOURCE.rglob("*.py")
        for line in path.read_text().splitlines()
        if asked.search(line)
    ]
    assert found == []


@pytest.mark.parametrize("text", LABELS)
def test_no_name_or_address_brings_a_router_along(text: str) -> None:
    """What breaks out of a Traefik rule is refused; what is taken gives the very same routers as an honest one."""
    honest = [k for k in labels(draft_of(DEFINITION.read_text(), subdomain="honest")) if ".routers." in k]
    for field in ("subdomain", "name", "tag"):
        try:
            draft = draft_of(DEFINITION.read_text(), **{field: text})
        except (HomelabError, ValueError):
            continue
        assert field == "tag", (field, text)
        assert [k for k in labels(draft) if ".routers." in k] == honest
    values = {"DOMAIN": text, "JELLYFIN_PORT": text}
    with pytest.raises((HomelabError, ValueError)):
        draft_of(DEFINITION.read_text(), variables=values)


def labels(draft: Any) -> dict[str, str]:
    found = compose_of(draft)["services"]["jellyfin"]["labels"]
    return {str(k): str(v) for k, v in found.items()} if isinstance(found, dict) else dict(
        str(item).split("=", 1) for item in found
    )  # fmt: skip


def test_any_byte_of_a_definition_that_is_read_changes_the_plan() -> None:
    """300 characters replaced in turn: no definition any more, another digest, or (a comment) the very same data."""
    text = DEFINITION.read_text()
    whole, meaning = digest_of(text), yaml.safe_load(text)
    assert digest_of(text) == whole
    chance = random.Random(18)
    same = refused = other = 0
    for place in chance.sample([n for n, c in enumerate(text) if not c.isspace()], 300):
        changed = text[:place] + chance.choice("abcxyz0189_") + text[place + 1 :]
        try:
            got = digest_of(changed)
        except (HomelabError, ValueError, KeyError):
            refused += 1
            continue
        other += got != whole
        same += got == whole
        assert got != whole or yaml.safe_load(changed) == meaning, text[place - 30 : place + 30]
    assert refused > 20, (same, refused, other)
    assert other > 100, (same, refused, other)


@pytest.mark.parametrize("field", ["tag", "digest"])
def test_another_image_is_another_plan(field: str) -> None:
    data = yaml.safe_load(DEFINITION.read_text())
    whole = digest_of(yaml.safe_dump(data))
    image = data["container"]["image"]
    image[field] = {"tag": "0.0.1", "digest": "sha256:" + "0" * 64}[field]
    assert digest_of(yaml.safe_dump(data)) != whole
