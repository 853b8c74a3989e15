"""Which parts of an address are secret."""

import pytest

from homelab_mcp.core.url_secrets import secrets_of_addresses

pytestmark = pytest.mark.unit

DISCORD = "Zk3_q9-" * 9
HEX = "0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ("https://anna:s3same-open@git.lab.test/hook", ["s3same-open"]),
        ("https://anna:p%40ss-word@git.lab.test/hook", ["p%40ss-word", "p@ss-word"]),
        ("https://anna:abc@git.lab.test/", ["//anna:abc@"]),
        ("https://ci-access-4711@git.lab.test/", ["ci-access-4711"]),
        ("ssh://git@git.lab.test/a/b.git", []),
        ("https://git.lab.test/anna/notes?page=2", []),
        (f"https://indexer.test/api?t=get&id={HEX}&apikey={HEX[::-1]}", [HEX[::-1]]),
        (f"https://indexer.test/getnzb/{HEX}.nzb&i=12&r={HEX}", []),  # no query: a path like any other
        (f"https://indexer.test/getnzb?id=7&i=12&r={HEX}", [HEX]),
        ("https://store.test/share/film.mkv?sv=1&sig=AbCdEf12%2B34", ["AbCdEf12+34"]),
        (f"https://discord.test/api/webhooks/12345/{DISCORD}", [DISCORD]),
        ("https://hooks.slack.test/services/T01/B02/aBcD1234eFgH5678iJkL9012", ["aBcD1234eFgH5678iJkL9012"]),
        (f"magnet:?xt=urn:btih:{HEX}01234567&tr=https%3A%2F%2Ftracker.test%2F{HEX}%2Fannounce", [HEX]),
        ("https://films.test/The-Expanse-S01E01-2160p-WEB-DL", []),
        ("https://feeds.test/u/qW8eR7tY6uI5oP4aS3dF2gH1/rss", ["qW8eR7tY6uI5oP4aS3dF2gH1"]),
        ("see https://a:first-word@x.test/ and https://b:other-word@y.test/", ["first-word", "other-word"]),
        ("http://[broken:pass-word@x", []),
        ({"config": [{"url": "https://u:in-a-list@x.test"}], "n": 3}, ["in-a-list"]),
        ("buy milk at 5: two litres", []),
        (None, []),
    ],
)
def test_log_ins_keys_and_tokens_are_found_and_what_people_must_read_is_not(value: object, wanted: list[str]) -> None:
    assert list(secrets_of_addresses(value)) == wanted
