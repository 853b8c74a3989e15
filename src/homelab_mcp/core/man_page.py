"""The manual page, in roff with the macros of man(7), from what the command line says of itself."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Option:
    """An option or argument.

    Args:
        names: ``("--stack",)``; an argument has its name alone, without dashes.
        value: what it takes, such as ``NAME=VALUE``; "" for a flag.
        variable: environment variable that sets it too; "" for none.
    """

    names: tuple[str, ...]
    value: str
    help: str
    required: bool = False
    repeated: bool = False
    variable: str = ""

    @property
    def is_argument(self) -> bool:
        """Whether its place tells what it is."""
        return not self.names[0].startswith("-")


@dataclass(frozen=True, slots=True)
class Command:
    """A command by its words (``("env", "set")``; none for the program itself), with what it takes."""

    words: tuple[str, ...]
    help: str
    options: tuple[Option, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """What the page is about: the program, a line on it, options before the command, each command, the exit codes."""

    program: str
    version: str
    about: str
    before: tuple[Option, ...]
    commands: tuple[Command, ...]
    after: str = ""


def man_page(page: Page) -> str:
    """The page, section 1."""
    name = page.program
    lines = [
        f'.TH "{name.upper()}" "1" "" "{_text(name)} {_text(page.version)}" "User Commands"',
        ".SH NAME",
        f"{_text(name)} \\- {_text(page.about)}",
        ".SH SYNOPSIS",
        f".B {_text(name)}",
        "[OPTIONS] COMMAND ...",
        ".SH OPTIONS",
        *_options(page.before),
        ".SH COMMANDS",
    ]
    for command in page.commands:
        words = [name, *command.words, *(_place(option) for option in command.options if option.is_argument)]
        lines += [f'.SS "{_text(" ".join(words))}"', *_paragraphs(command.help), *_options(command.options)]
    if page.after:
        lines += [".SH EXIT STATUS", *_paragraphs(page.after)]
    return "\n".join(lines) + "\n"


def _place(option: Option) -> str:
    shown = (option.value or option.names[0]).upper() + ("..." if option.repeated else "")
    return shown if option.required else f"[{shown}]"


def _options(options: Sequence[Option]) -> Iterable[str]:
    for option in options:
        if option.is_argument:
            head = f"\\fI{_text((option.value or option.names[0]).upper())}\\fR"
        else:
            head = ", ".join(f"\\fB{_text(name)}\\fR" for name in option.names)
            head += f" \\fI{_text(option.value)}\\fR" if option.value else ""
        said = [option.help if option.help.endswith(".") or not option.help else f"{option.help}."]
        said += ["May be repeated."] if option.repeated and "repeated" not in option.help else []
        said += [f"Also: {option.variable}."] if option.variable else []
        yield from (".TP", head, _line(" ".join(part for part in said if part)))


def _paragraphs(text: str) -> Iterable[str]:
    for number, paragraph in enumerate(text.strip().split("\n\n")):
        if number:
            yield ".PP"
        yield _line(" ".join(paragraph.split()))


def _line(text: str) -> str:
    """A line of text; a dot or quote at its beginning would be a request (groff(7), control characters)."""
    escaped = _text(" ".join(text.split()))
    return f"\\&{escaped}" if escaped[:1] in (".", "'", "") else escaped


def _text(text: str) -> str:
    """Plain text in roff: a bare ``-`` would come out as a hyphen, which cannot be searched for or pasted."""
    return text.replace("\\", "\\e").replace("-", "\\-").replace('"', "\\(dq").replace("`", "\\(ga")
