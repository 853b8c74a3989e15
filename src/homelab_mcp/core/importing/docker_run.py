"""A ``docker run`` command line as a compose service.

Source of the flags and of what each means: Docker's reference of ``docker container run``, and the Compose
Specification for the keys they become. Nothing is run and no shell reads the text: ``$(...)`` is named as something
that could not be carried over, ``$NAME`` stays a variable.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

from homelab_mcp.core.importing.parsed import Parsed
from homelab_mcp.core.importing.run_flags import FLAGS, SHORT, SWITCHES, Service
from homelab_mcp.core.references import literal
from homelab_mcp.model.errors import InvalidInput

_STARTS = re.compile(r"^\s*(?:[$#]\s+)?(?:sudo\s+(?:-\w+\s+)*)?(?:docker|podman|nerdctl)\s", re.MULTILINE)
_CONTINUED = re.compile(r"[\\^`][ \t]*\r?\n")
_HERE = re.compile(r"\$\(\s*pwd\s*\)|`\s*pwd\s*`|\$\{?PWD\}?|%cd%", re.IGNORECASE)
_SHELL = re.compile(r"\$\([^()]*\)|`[^`]*`")
_ENDS = frozenset(";|&")


def is_docker_run(text: str) -> bool:
    """Whether a text is a command line and no compose text."""
    return bool(_STARTS.match(text)) or any(_STARTS.match(line) for line in text.splitlines()[:20])


def parse_docker_run(text: str) -> Parsed:
    """The services of every ``docker run`` in a text; other commands are named as lost.

    Raises:
        InvalidInput: no ``docker run`` in it, an open quote, an unknown flag, or no image (code ``not_docker_run``,
            ``bad_command``, ``unknown_flag``, ``no_image``).
    """
    parsed = Parsed({})
    for words in _commands(text):
        run = _after_run(words)
        if run is None:
            told = " ".join(words[:3])
            if words[0] in {"docker", "podman", "nerdctl"} and words[1:2] not in (["pull"], ["network"], ["volume"]):
                parsed.lost.append(f"'{told}' is no docker run and was left out.")
            continue
        service = _service(run)
        name = _name_of(service, parsed)
        parsed.services[name] = service.keys
        parsed.lost += [f"{name}: {told}" for told in service.lost]
    if not parsed.services:
        raise InvalidInput(
            "There is no docker run command in this text.",
            hint="Give the whole line from 'docker run' to the image and its arguments, or a compose text.",
            code="not_docker_run",
        )
    return parsed


def _commands(text: str) -> Iterator[list[str]]:
    """Each command as words: line by line, lines that go on joined, cut at what ends a command in a shell."""
    pending = ""
    for line in _CONTINUED.sub(" ", text).splitlines():
        stripped = line.strip()
        if not pending and (not stripped or (stripped.startswith("#") and not stripped.startswith("# docker"))):
            continue
        pending = f"{pending}\n{line}" if pending else re.sub(r"^\s*[$#]\s+", "", line)
        try:
            # `pwd` and $(pwd) before the words are split, since they hold blanks.
            words = _split(_SHELL.sub(_kept, _HERE.sub("$PWD", pending)))
        except ValueError:
            continue
        pending = ""
        yield from _cut(words)
    if pending:
        raise InvalidInput(
            "The command has a quote that is not closed.", hint="Give the whole command.", code="bad_command"
        )


def _split(line: str) -> list[str]:
    reader = shlex.shlex(line, posix=True, punctuation_chars=";|&")
    reader.whitespace_split = True
    reader.commenters = ""
    return list(reader)


def _kept(found: re.Match[str]) -> str:
    """A command substitution as one word that nothing else looks like."""
    return "$(" + re.sub(r"[^A-Za-z0-9_./-]+", "_", found[0].strip("$()`")) + ")"


def _cut(words: list[str]) -> Iterator[list[str]]:
    command: list[str] = []
    for word in words:
        if set(word) <= _ENDS and word:
            if command:
                yield _bare(command)
            command = []
        else:
            command.append(word)
    if command:
        yield _bare(command)


def _bare(words: list[str]) -> list[str]:
    while words and (words[0] == "sudo" or (words[0].startswith("-") and len(words) > 1)):
        words = words[1:]
    return words or [""]


def _after_run(words: list[str]) -> list[str] | None:
    if words[0] not in {"docker", "podman", "nerdctl"}:
        return None
    rest = words[1:]
    while rest and rest[0].startswith("-"):
        rest = rest[1:] if "=" in rest[0] else rest[2:]
    rest = rest[1:] if rest[:1] == ["container"] else rest
    return rest[1:] if rest[:1] in (["run"], ["create"]) else None


def _service(words: list[str]) -> Service:
    service = Service()
    rest = list(words)
    while rest and rest[0].startswith("-") and rest[0] != "--":
        _flag(service, rest)
    rest = rest[1:] if rest[:1] == ["--"] else rest
    if not rest:
        raise InvalidInput("The docker run command names no image.", hint="Give the whole command.", code="no_image")
    service.keys["image"] = rest[0]
    if rest[1:]:
        service.keys["command"] = [literal(word) for word in rest[1:]]
    test = service.keys.get("healthcheck", {}).get("test")
    if test:
        # What a shell in the container is to fill in, not Compose.
        service.keys["healthcheck"]["test"] = [literal(word) for word in test]
    return service.finished()


def _flag(service: Service, rest: list[str]) -> None:
    word = rest.pop(0)
    if word.startswith("--"):
        name, equals, value = word[2:].partition("=")
        _one(service, name, value if equals else None, rest)
        return
    cluster = word[1:]
    while cluster:
        letter, cluster = cluster[0], cluster[1:]
        name = SHORT.get(letter, "")
        if name in SWITCHES:
            # -it, but also -d=false.
            given = cluster[1:] if cluster.startswith("=") else None
            cluster = "" if given is not None else cluster
            _one(service, name, given, rest)
        else:
            _one(service, name or letter, cluster.removeprefix("=") or None, rest)
            return


def _one(service: Service, name: str, value: str | None, rest: list[str]) -> None:
    if name in SWITCHES:
        if value is None or value.lower() in {"true", "1"}:
            SWITCHES[name](service, "true")
        return
    take = FLAGS.get(name)
    if take is None:
        shown = f"--{name}" if len(name) > 1 else f"-{name}"
        raise InvalidInput(
            f"docker run has no flag {shown[:60]!r} that is known here.",
            hint="Leave it out, or write a compose text.",
            code="unknown_flag",
        )
    if value is None:
        if not rest:
            raise InvalidInput(f"--{name} has no value.", hint="Give the whole command.", code="bad_command")
        value = rest.pop(0)
    take(service, value)


def _name_of(service: Service, parsed: Parsed) -> str:
    given = str(service.keys.get("container_name") or "")
    image = str(service.keys["image"]).partition("@")[0].rsplit("/", 1)[-1].partition(":")[0]
    plain = re.sub(r"[^a-z0-9_-]+", "-", (given or image).lower()).strip("-_")[:60] or "service"
    name, number = plain, 2
    while name in parsed.services:
        name, number = f"{plain}-{number}", number + 1
    return name
