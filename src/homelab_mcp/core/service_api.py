"""From an allowed operation and given values to the one request that may be sent; pure.

Every value is checked against its parameter, then encoded for the place it goes to. A value for the path is one segment
without a slash, in whatever way it is written; one for a query is percent-encoded (RFC 3986 section 2.1); one for a
body goes through the JSON writer.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.service_api import Api, Operation, Parameter, place_of

MOST_ITEMS = 200
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_BODY_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029]")
_SEGMENT = re.compile(r"\{([a-z][a-z0-9_]*)\}")
_UNSAFE_IN_PATH = re.compile(r"[/\\%?#;]")
_MISSING = object()


@dataclass(frozen=True, slots=True)
class Rendered:
    """A request without its key: path and query, encoded; a body as text ("" for none) and what it is."""

    method: str
    target: str
    body: str = ""
    content_type: str = ""


def operation_of(api: Api, name: str) -> Operation:
    """The allowed operation of that name. Raises InvalidInput (``operation_unknown``) with those there are."""
    found = api.operation(name)
    if found is None:
        raise InvalidInput(
            f"{name[:60]!r} is not among the operations that this service's entry allows.",
            hint=f"Allowed: {', '.join(one.id for one in api.operations)}.",
            code="operation_unknown",
        )
    return found


def render(operation: Operation, given: Mapping[str, Any]) -> Rendered:
    """The request for these values. Raises InvalidInput (``bad_value``) naming the parameter, never the value."""
    values = {name: _MISSING for name in operation.parameters} | taken(operation, given)
    path = _SEGMENT.sub(lambda m: _segment(operation, m[1], values[m[1]]), operation.path)
    query = _pairs(operation.query, values)
    target = path + (f"?{urlencode(query, quote_via=quote, safe='')}" if query else "")
    if operation.body is not None:
        body = json.dumps(_filled(operation.body, values), ensure_ascii=False, separators=(",", ":"))
        return Rendered(operation.method, target, body, "application/json")
    if operation.form:
        text = urlencode(_pairs(operation.form, values), quote_via=quote, safe="")
        return Rendered(operation.method, target, text, "application/x-www-form-urlencoded")
    return Rendered(operation.method, target)


def taken(operation: Operation, given: Mapping[str, Any]) -> dict[str, Any]:
    """The values as their parameters want them, defaults among them. Raises InvalidInput (``bad_value``)."""
    if strange := sorted(set(given) - set(operation.parameters)):
        known = ", ".join(operation.parameters) or "none"
        raise InvalidInput(
            f"{operation.id} has no parameter {strange[0][:40]!r}.", hint=f"It takes: {known}.", code="bad_value"
        )
    every = {name: _value(operation, name, one, given.get(name)) for name, one in operation.parameters.items()}
    return {name: value for name, value in every.items() if value is not _MISSING}


def resolved(template: Mapping[str, Any], values: Mapping[str, Any], **answers: object) -> dict[str, Any]:
    """A follow-up's values: literals, ``@{name}`` from this call's values, ``@{answer.path}`` from an answer.

    Raises InvalidInput (``bad_value``) where an answer has no such place.
    """

    def fill(value: Any) -> Any:
        if isinstance(value, list):
            return [fill(one) for one in value]
        if isinstance(value, str) and value.startswith("@{") and value.endswith("}"):
            head, dot, path = value[2:-1].partition(".")
            if dot:
                found = at(answers.get(head), path)
                if found is None or isinstance(found, (dict, list)):
                    raise InvalidInput(f"The answer has no {path}.", code="bad_value")
                return found
            return values.get(head, _MISSING)
        return value

    filled = {name: fill(value) for name, value in template.items()}
    return {name: value for name, value in filled.items() if value is not _MISSING}


def needs_answer(template: Mapping[str, Any]) -> bool:
    """Whether a follow-up's values wait for the call's own answer."""
    return "@{answer." in json.dumps(template)


def at(data: object, path: str) -> Any:
    """What is at a dotted path (``records.0.id``; ``*`` is the only item of a list); None where there is nothing."""
    for step in path.split(".") if path else ():
        if isinstance(data, Mapping):
            data = data.get(step)
        elif isinstance(data, list) and step == "*":
            data = data[0] if len(data) == 1 else None
        elif isinstance(data, list) and step.isdigit() and int(step) < len(data):
            data = data[int(step)]
        else:
            return None
    return data


# --- values ---------------------------------------------------------------------------------------------------------


def _value(operation: Operation, name: str, parameter: Parameter, given: Any) -> Any:
    if given is None:
        given = parameter.default
    if given is None:
        if parameter.required:
            raise _bad(operation, name, f"is missing: {parameter.description}")
        return _MISSING
    return checked(operation, name, parameter, given)


def checked(operation: Operation, name: str, parameter: Parameter, given: Any) -> Any:
    """One value as its parameter wants it; texts of numbers are taken, as a command line gives no others."""
    match parameter.type:
        case "boolean":
            return _boolean(operation, name, given)
        case "integer":
            return _whole(operation, name, parameter, given)
        case "number":
            return _number(operation, name, parameter, given)
        case "strings" | "integers":
            every = given.split(",") if isinstance(given, str) else given
            if not isinstance(every, (list, tuple)) or not 0 < len(every) <= MOST_ITEMS:
                raise _bad(operation, name, f"is a list of 1 to {MOST_ITEMS}")
            if parameter.type == "integers":
                return [_whole(operation, name, parameter, one) for one in every]
            return [_text(operation, name, parameter, one) for one in every]
        case _:
            return _text(operation, name, parameter, given)


def _boolean(operation: Operation, name: str, given: Any) -> bool:
    if isinstance(given, bool):
        return given
    if isinstance(given, str) and given.lower() in ("true", "false"):
        return given.lower() == "true"
    raise _bad(operation, name, "is true or false")


def _whole(operation: Operation, name: str, parameter: Parameter, given: Any) -> int:
    if isinstance(given, str) and re.fullmatch(r"-?[0-9]{1,18}", given):
        given = int(given)
    if isinstance(given, bool) or not isinstance(given, int):
        raise _bad(operation, name, "is a whole number")
    _within(operation, name, parameter, given)
    return given


def _number(operation: Operation, name: str, parameter: Parameter, given: Any) -> float:
    if isinstance(given, str) and re.fullmatch(r"-?[0-9]{1,15}(\.[0-9]{1,15})?", given):
        given = float(given)
    if isinstance(given, bool) or not isinstance(given, (int, float)) or given != given or abs(given) > 1e15:
        raise _bad(operation, name, "is a number")
    _within(operation, name, parameter, given)
    return given


def _within(operation: Operation, name: str, parameter: Parameter, given: float) -> None:
    low, high = parameter.minimum, parameter.maximum
    if (low is not None and given < low) or (high is not None and given > high):
        raise _bad(operation, name, f"is from {low if low is not None else '…'} to {high if high is not None else '…'}")
    if abs(given) > 2**53:
        raise _bad(operation, name, "is too large")


def _text(operation: Operation, name: str, parameter: Parameter, given: Any) -> str:
    if isinstance(given, bool) or not isinstance(given, (str, int)):
        raise _bad(operation, name, "is a text")
    text = str(given)
    if parameter.choices and text not in parameter.choices:
        raise _bad(operation, name, f"is one of {', '.join(parameter.choices)}")
    if len(text) > parameter.max_length:
        raise _bad(operation, name, f"has at most {parameter.max_length} characters")
    if _BODY_CONTROL.search(text):
        raise _bad(operation, name, "has control characters in it")
    if any(0xD800 <= ord(c) <= 0xDFFF for c in text):
        raise _bad(operation, name, "is no whole text")
    if parameter.pattern is not None and not re.fullmatch(parameter.pattern, text):
        raise _bad(operation, name, f"does not look like this: {parameter.pattern}")
    return text


def _segment(operation: Operation, name: str, value: Any) -> str:
    text = str(value)
    if not text or text.strip(".") == "" or _UNSAFE_IN_PATH.search(text) or _CONTROL.search(text):
        raise _bad(operation, name, "goes into the path, so it is one word without / \\ % ? # ;")
    return quote(text, safe="")


def _bad(operation: Operation, name: str, what: str) -> InvalidInput:
    shape = operation.parameters[name]
    return InvalidInput(
        f"{operation.id}: {name} {what}.", hint=f"{name} ({shape.type}): {shape.description}", code="bad_value"
    )


# --- places ---------------------------------------------------------------------------------------------------------


def _filled(template: Any, values: Mapping[str, Any]) -> Any:
    """A body's template with its values; an optional one that was not given leaves its key out."""
    if isinstance(template, Mapping):
        every = {key: _filled(one, values) for key, one in template.items()}
        return {key: one for key, one in every.items() if one is not _MISSING}
    if isinstance(template, list):
        return [one for one in (_filled(each, values) for each in template) if one is not _MISSING]
    name = place_of(template)
    return values[name] if name else template


def _pairs(template: Mapping[str, Any], values: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(key, text) for key, one in template.items() for text in _texts(_filled(one, values))]


def _texts(value: Any) -> Iterable[str]:
    if value is _MISSING:
        return ()
    if isinstance(value, list):
        return (t for one in value for t in _texts(one))
    return ("true" if value else "false",) if isinstance(value, bool) else (str(value),)
