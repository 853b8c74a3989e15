"""How the catalog's search reads a question: words without their endings, other words for the same, and needs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_WORD = re.compile(r"[^\W_]+")
_NOISE = frozenset(
    _WORD.findall(
        "a an and any are as at be by can do does for from get give has have help how i in into is it its like me my"
        " need of on one or our own please run runs server service set some something that the them this to tool use"
        " uses using want what when where which with without would you your self host hosted hosting home lab homelab"
        " local app automatic automatically application program software system web page site website based simple"
        " good best small new see stop let every all each whole someone somewhere everything whenever again keep put"
        " you he she we they his her its their us them themselves itself am was were been being has had did doing could"
        " should might must may shall will nor only same so than too very just but if or because until while then once"
        " here there why both few more most other such don t s m d ll ve re already also even still ever never always"
        " really actually kind way lot nothing anything thing people person wants"
    )
)
"""Words that say nothing of what is wanted. Where a question has no others, they count after all."""

_PREPOSITIONS = frozenset(_WORD.findall("for from on by of with behind through via against into that"))

_SAME = {
    "movie": "film",
    "cinema": "film",
    "tv": "series television",
    "show": "series",
    "episode": "series",
    "song": "music",
    "album": "music",
    "photo": "picture photos",
    "gallery": "photos picture",
    "image": "picture container",
    "ad": "advertising",
    "ads": "advertising",
    "tracker": "advertising",
    "torrent": "bittorrent",
    "todo": "task",
    "tasks": "task",
    "llm": "language model",
    "ai": "language model",
    "gpt": "language model",
    "ebook": "book",
    "novel": "book",
    "comic": "comic manga",
    "invoice": "paper",
    "receipt": "paper",
    "scan": "scanned paper",
    "document": "paper document",
    "ocr": "text read paper",
    "notification": "notice",
    "notify": "notice",
    "alert": "alert notice",
    "car": "vehicle",
    "money": "finance budget",
    "finance": "budget bookkeeping",
    "video": "film video",
    "cctv": "camera",
    "surveillance": "camera",
    "nvr": "camera",
    "light": "lamp",
    "automation": "automate",
    "gui": "page",
    "ui": "page",
    "browser": "browser page",
    "website": "site",
    "blog": "blog site",
    "chat": "chat",
    "domain": "address dns",
    "ip": "address",
    "ddns": "dns address",
    "backup": "backup restore",
    "disk": "disk",
    "drive": "disk",
    "grocery": "groceries",
    "pantry": "groceries",
    "shopping": "shopping groceries",
    "cook": "recipe",
    "meal": "recipe meal",
    "speed": "speed connection",
    "internet": "internet connection",
    "uptime": "watch",
    "down": "down watch",
    "monitor": "watch monitor figures",
    "metric": "metric figures",
    "log": "log",
    "logging": "log",
    "detect": "detection detect",
    "auth": "log-in",
    "login": "log-in",
    "oidc": "oauth2",
    "identity": "identity provider",
    "proxy": "proxy",
    "firmware": "firmware esp",
    "subtitle": "subtitle",
    "translate": "translation",
    "game": "game",
    "whiteboard": "whiteboard sketch",
    "draw": "sketch whiteboard",
    "office": "office text tables",
    "spreadsheet": "spreadsheet tables",
    "stock": "stock shares",
    "portfolio": "portfolio shares",
}
"""Other words for what the entries say, in the words of the entries."""

_INSTEAD = re.compile(r"\b(alternatives?|replac\w+|instead|substitute|switch(ing)? (away )?from|clone)\b")
_NO_DATABASE = re.compile(r"\b(no|without (a|any)?|needs? no|w/o) ?(database|db|companions?)\b|\bsingle container\b")
_ARM = re.compile(r"\b(arm(64)?|raspberry|rpi|aarch64)\b")
_MEMORY = re.compile(r"\b(under|below|less than|at most|max(imum)?|within|<) ?(\d+) ?(mb|mib|gb|gib|g|m)\b")
_GPU = re.compile(r"\b(gpu|nvidia|vaapi|hardware (transcoding|acceleration))\b")


@dataclass(frozen=True, slots=True)
class Question:
    """A question, read.

    Args:
        folded: the whole as one name, without case and separators.
        spans: one to three words that stand together, as names.
        aside: those of them that follow a "for", "from" or the like, and what these lead to.
        words: the words that count, without their endings, each with the other words for it.
        instead: it asks for something to take the place of what it names.
        no_database, arm, gpu: what the service must be able to do without or with.
        memory: MiB at most; 0 for any.
    """

    folded: str
    spans: tuple[str, ...]
    aside: frozenset[str]
    words: tuple[tuple[str, ...], ...]
    instead: bool
    no_database: bool
    arm: bool
    gpu: bool
    memory: int


def read(query: str) -> Question:
    """Read a question."""
    text = query.casefold()
    needs = (_NO_DATABASE, _ARM, _MEMORY, _GPU, _INSTEAD)
    memory = _MEMORY.search(text)
    plain = text
    for need in needs:
        plain = need.sub(" ", plain)
    found = _WORD.findall(plain)
    counted = [word for word in found if word not in _NOISE] or found
    return Question(
        folded="".join(found),
        spans=tuple(dict.fromkeys(_spans(found))),
        aside=frozenset(_aside(found)),
        words=tuple(tuple(dict.fromkeys(_with_same(word))) for word in dict.fromkeys(counted)),
        instead=bool(_INSTEAD.search(text)),
        no_database=bool(_NO_DATABASE.search(text)),
        arm=bool(_ARM.search(text)),
        gpu=bool(_GPU.search(text)),
        memory=int(memory[3]) * (1024 if memory[4].startswith("g") else 1) if memory else 0,
    )


def _spans(words: list[str]) -> Iterator[str]:
    for length in (3, 2, 1):
        for start in range(len(words) - length + 1):
            part = words[start : start + length]
            if length > 1 or part[0] not in _NOISE:
                yield "".join(part)


def _aside(words: list[str]) -> Iterator[str]:
    """Names after the first preposition of a question that says something before it."""
    for place, word in enumerate(words):
        if place and word in _PREPOSITIONS:
            yield from _spans(words[place + 1 :])
            return


def _with_same(word: str) -> Iterator[str]:
    yield stem(word)
    for key in (word, stem(word)):
        for other in _SAME.get(key, "").split():
            yield from stems(other)


def stems(text: str) -> list[str]:
    """The words of a text without their endings."""
    return [stem(word) for word in _WORD.findall(text.casefold())]


def stem(word: str) -> str:
    """A word without the endings that English puts on it; good enough to compare by."""
    for ending, instead in (("ies", "y"), ("sses", "ss"), ("ing", ""), ("ed", ""), ("es", "e"), ("s", "")):
        if word.endswith(ending) and len(word) - len(ending) >= 3 and not word.endswith(("ss", "us", "is")):
            return (word[: -len(ending)] + instead).rstrip("e")
    return word.rstrip("e") if len(word) > 4 else word
