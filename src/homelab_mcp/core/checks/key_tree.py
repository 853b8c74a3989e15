"""What keys a program knows, written as ``key(key key)`` so that a schema of thousands of lines fits a page."""

from __future__ import annotations

import re
from typing import TypeAlias

Tree: TypeAlias = dict[str, "Tree"]


def tree_of(text: str) -> Tree:
    """The keys as a tree; a key without brackets has nothing below it."""
    root: Tree = {}
    above: list[Tree] = []
    here = last = root
    for word in re.findall(r"[a-z0-9_*]+|[()]", text):
        if word == "(":
            above.append(here)
            here = last
        elif word == ")":
            here = above.pop()
        else:
            last = here.setdefault(word, {})
    return root
