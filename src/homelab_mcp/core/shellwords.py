"""How Compose splits a ``command`` or ``entrypoint`` that is one text: like go-shellwords, which is no shell.

Seen with Compose 2.26 and 2.40: quotes and backslashes work, and at the first ``;``, ``&``, ``|``, ``<`` or ``>``
outside quotes the text ends; what follows is thrown away without a word.
"""

from __future__ import annotations

from dataclasses import dataclass

_CUTS = frozenset(";&|<>")


@dataclass(frozen=True, slots=True)
class Split:
    """The words Compose takes, and the text from the sign on that it throws away ("" when it takes all)."""

    words: tuple[str, ...]
    lost: str


def split(text: str) -> Split | None:
    """The words of a command; None where Compose refuses it (an open quote, a bracket beside ``$(...)``)."""
    words: list[str] = []
    word: str | None = None
    quote = ""
    signs = enumerate(text)
    for at, sign in signs:
        if sign == "\\" and quote != "'":
            escaped = next(signs, None)
            if escaped is None:
                return None
            word = (word or "") + escaped[1]
        elif quote:
            if quote == ")" and sign == "(":
                return None
            # Quotes vanish; backticks and brackets stay.
            word = (word or "") + (sign if sign != quote or quote in "`)" else "")
            quote = "" if sign == quote else quote
        elif sign in " \t\r\n":
            words += [word] if word is not None else []
            word = None
        elif sign in _CUTS:
            # A digit before '>' is a stream's number, not a word.
            stream = sign == ">" and (word or "")[:1].isdigit()
            return Split((*words, word) if word is not None and not stream else tuple(words), text[at:])
        elif sign == "(" and not (word or "").endswith("$"):
            return None
        else:
            quote = {"(": ")"}.get(sign, sign if sign in "'\"`)" else "")
            word = (word or "") + (sign if sign not in "'\"" else "")
    if quote:
        return None
    return Split((*words, word) if word is not None else tuple(words), "")
