"""Where a change of a service belongs in a stack of several files: compose, override, included and extended ones.

Compose merges the override file over the compose file, and takes what either names by ``include`` and ``extends``. A
change is made in the file where it holds. Each try is judged by what Compose would make of all the files: it has to be
what the same change makes of the stack written out as one file. What no file can give is left to the caller.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from homelab_mcp.core.compose_meaning import same
from homelab_mcp.core.operations.service_parts import elsewhere, line_of, refuse_elsewhere
from homelab_mcp.core.operations.stack_as_one import alone, may_write, merged, services_said, with_texts, written_out
from homelab_mcp.core.service_edit import ServiceEdit
from homelab_mcp.model.errors import EditRefused, HomelabError, InvalidInput
from homelab_mcp.model.observed import StackFiles

TextAfter = Callable[[StackFiles, str], str]
"""Makes the change of the service of that name in the compose text of a stack of one file.

Raises HomelabError where that text cannot have it.
"""

_ENTRIES = ("environment", "labels")
_MORE = "this cannot be changed there without changing more."


@dataclass(frozen=True, slots=True)
class Placed:
    """A change that is made in one file of several.

    Args:
        whole: the stack as Compose sees it, written out as one file: what all but the edit is worked out from.
        path: the file's that is edited.
        before: its text now.
        after: its text then.
        note: why it is made there, for the person.
    """

    whole: StackFiles
    path: str
    before: str
    after: str
    note: str


def in_which_file(
    stack: StackFiles, service: str, change: TextAfter, stacks: Sequence[StackFiles] = ()
) -> Placed | None:
    """The change in the file where it holds; None where that is the compose file alone, or no file can have it.

    Args:
        stack: whose service it is.
        service: its name.
        change: makes the change in a text.
        stacks: the lab's, of which another one may name the same file.

    Raises:
        NotFound: the service, or what it extends, stands in a file that cannot have the change
            (``service_elsewhere``).
        InvalidInput: the change does not fit the service as all files make it, or the file is another stack's too,
            which the change would reach (``file_shared``).
    """
    whole = written_out(stack)
    if whole is None or service not in services_said(whole.compose_text):
        return None
    now = merged(stack)
    try:
        wanted = merged(replace(whole, compose_text=change(whole, service)))
    except EditRefused:
        return None
    if wanted is None or now is None:
        return None
    above = service in services_said(stack.compose_text)
    if same(wanted, now):
        # All files say a variable, whose value is in the stack's .env: a try in one would write what is hidden.
        return Placed(whole, stack.compose_path, stack.compose_text, stack.compose_text, "")
    fits: list[tuple[str, str, str]] = []
    for path, before, make in _tries(stack, service, change, (now, wanted)):
        try:
            after = make()
        except HomelabError:
            continue
        if not same(merged(with_texts(stack, {path: after})), wanted):
            # It can be made there, and would not hold, or would change more.
            fits += [(path, before, make.args[1])] if make.func is change else []
            continue
        if path == stack.compose_path and make.func is change:
            return None
        if path in dict(stack.named):
            _refuse_shared(stacks, stack, path, service, after)
        return Placed(whole, path, before, after, _why(stack, service, path, above=above))
    if not above:
        refuse_elsewhere(stack, service, _MORE)
    elif fits and fits[0][0] != stack.compose_path:
        # The compose file alone would be told to have no such thing, which the service has.
        path, text, name = fits[0]
        there = f"{path}, line {line_of(text, name)}"
        told = "stands in" if name == service else f"extends {name} of"
        raise elsewhere(stack, f"{service} of stack {stack.name} {told} {there}; {_MORE}")
    return None


def _tries(
    stack: StackFiles, service: str, change: TextAfter, models: tuple[dict[str, Any], dict[str, Any]]
) -> Iterator[tuple[str, str, partial[str]]]:
    """(path, text, what makes the text with the change) of each file, nearest first.

    A service that extends another one may have the change as a value of its own, over the other's: that reaches nobody
    else, so it comes before the other's file.
    """
    own = ((stack.compose_path, stack.compose_text), *stack.others)
    mine = [(path, text) for path, text in own if service in services_said(text)]
    for path, text in mine:
        yield path, text, partial(change, alone(stack, path), service)
    for path, text in mine:
        yield path, text, partial(_said_over, text, service, *models)
    names = dict.fromkeys((service, *_extended(stack, service)))
    for path, text in stack.named:
        for name in names if may_write(path) else ():
            if name in services_said(text):
                yield path, text, partial(change, alone(stack, path), name)


def _said_over(text: str, service: str, now: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    """The text with the service saying itself what is to differ. Raises EditRefused: something is to go."""
    edit = ServiceEdit(text, service)
    for path, value in _differing(now["services"].get(service), wanted["services"].get(service), ()):
        if path[0] in _ENTRIES and len(path) == 2:
            edit.set_entry(path[0], path[1], "" if value is None else str(value))
        else:
            edit.set(path, value)
    for section, names in wanted.items():
        if section != "services" and isinstance(names, Mapping):
            for name in names.keys() - (now.get(section) or {}).keys():
                edit.declare(section, name, names[name])
    return edit.text


def _differing(now: Any, wanted: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(now, Mapping) and isinstance(wanted, Mapping):
        if now.keys() - wanted.keys():
            raise EditRefused("What another file says cannot be taken out here.", code="not_here")
        for key, value in wanted.items():
            if key not in now or not same(now[key], value):
                yield from _differing(now.get(key), value, (*path, str(key)))
    elif isinstance(now, list) and isinstance(wanted, list):
        # Compose joins lists: said again here, the other file's items would stand in both.
        raise EditRefused("What another file lists cannot be listed anew here.", code="not_here")
    else:
        yield path, wanted


def _extended(stack: StackFiles, service: str) -> list[str]:
    """The names under which the services stand that it extends, one after the other."""
    texts = (stack.compose_text, *(text for _, text in (*stack.others, *stack.named)))
    found, wanted = list[str](), {service}
    while wanted:
        name = wanted.pop()
        for text in texts:
            body = services_said(text).get(name)
            extends = body.get("extends") if isinstance(body, Mapping) else None
            other = extends.get("service") if isinstance(extends, Mapping) else extends
            if isinstance(other, str) and other not in (*found, service):
                found.append(other)
                wanted.add(other)
    return found


def _refuse_shared(stacks: Sequence[StackFiles], stack: StackFiles, path: str, service: str, after: str) -> None:
    """Raise InvalidInput (``file_shared``) where the edit reaches another stack, or cannot be told not to."""
    text = dict(stack.named)[path]
    for other in stacks:
        # A file of the other stack's own is its as well, whether or not anybody else names it there.
        if other.name == stack.name or path not in {other.compose_path, *dict(other.others), *dict(other.named)}:
            continue
        now = merged(other)
        if now is None or not same(now, merged(with_texts(other, {path: after}))):
            raise InvalidInput(
                f"{service} of stack {stack.name} stands in {path}, line {line_of(text, service) or 1}, which stack "
                f"{other.name} takes too: the change would reach both.",
                code="file_shared",
                hint=f"Edit it there for both, then `homelab-mcp review` shows and adopts it. Or copy its lines into "
                f"{stack.compose_path}, and ask again.",
            )


def _why(stack: StackFiles, service: str, path: str, *, above: bool) -> str:
    if path == stack.compose_path:
        return f"{service} says it in {path} from now on, over what it extends."
    if path in dict(stack.others) and above:
        return f"{service} is changed in {path}, which wins over {stack.compose_path}."
    return f"{service} is changed in {path}, where it stands."
