"""What README and the documents show can be typed: commands and options of ours exist, targets of
make too. Other programs stand on a list, with the reason why no test here runs them."""

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import typer

from flows import cli

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
COMMAND = typer.main.get_command(cli.app)
# Other programs, and why no test runs what is shown of them.
NOT_RUN = {
    "docker": "needs a Docker daemon",
    "pulumi": "Pulumi's own words; tests/infra run the engine on a stack",
    "prefect": "Prefect's own words; `sigmasight dashboard` does the same and is tested",
    "psql": "PostgreSQL's client, which need not be here",
    "systemctl": "needs systemd",
    "export": "the shell's",
}
RUN_ELSEWHERE = {"alembic", "python", "sigmasight"}
_OURS = re.compile(
    r"(?<![\w./-])(?<!create )(?<!pool )(?:\.venv/bin/)?sigmasight((?: [^\s#`\"]+)+)"
)
_PROGRAM = re.compile(r"(?:\$ )?(?:[A-Z_]+=\S* )*(?:[\w.]+/)*([a-z][\w-]*)( [^=|,:]*)?(  #.*)?")
# What stands for a word of the user's.
_PLACEHOLDERS = {"N": "1", "DAY": "2025-07-01", "…": None, "X": None}
_ANY_COMMANDS_TAKE = {"--quiet", "--verbose", "--debug", "--help"}


def shown(document: Path) -> Iterator[str]:
    """Lines of code blocks, and code within sentences, however these are broken."""
    prose, fenced = [], False
    for line in document.read_text(encoding="utf-8").splitlines():
        if line.startswith("```"):
            fenced = not fenced
        elif fenced or line.startswith("    "):
            yield line.strip()
        else:
            prose.append(line)
    for code in re.findall(r"`([^`]+)`", "\n".join(prose)):
        yield " ".join(code.split())


def commands(document: Path) -> Iterator[list[str]]:
    for line in shown(document):
        for found in _OURS.finditer(line):
            words = re.split(r" [|>&]|[,;]( |$)|\)", found[1].strip())[0].split()
            plain = (word.strip("[]():").split("|")[0] for word in words)
            kept = [_PLACEHOLDERS.get(word, word) for word in plain]
            told = [word for word in kept if word and word not in _ANY_COMMANDS_TAKE]
            if told and not told[0].startswith("--"):  # those answer at once: parsing runs them
                yield told


def programs(document: Path) -> Iterator[tuple[str, str]]:
    """The program of each line that has a prompt or a remark, and its first word."""
    for line in shown(document):
        found = _PROGRAM.match(line)
        if found and (line.startswith("$ ") or re.search(r"\s#\s", line)):
            yield found[1], (found[2] or "").split()[0]


def parse(words: list[str]) -> None:
    """Have the real parser judge them, and run nothing."""
    with suppress(typer.Exit):
        context = COMMAND.make_context(cli.NAME, list(words))
        while rest := [*context._protected_args, *context.args]:
            name, inner, left = context.command.resolve_command(context, rest)
            context = inner.make_context(name, left, parent=context)
            if not hasattr(inner, "resolve_command"):
                return


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_documented_commands_can_be_typed(document: Path) -> None:
    wrong = []
    for words in commands(document):
        try:
            parse(words)
        except typer.TyperException as error:
            wrong.append(f"sigmasight {' '.join(words)}: {error.format_message()}")
    assert not wrong, "\n".join(wrong)


def test_what_no_test_runs_has_a_reason() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    used = {found for document in DOCUMENTS for found in programs(document)}
    assert {target for program, target in used if program == "make"} <= targets
    assert {program for program, _ in used} <= {*NOT_RUN, *RUN_ELSEWHERE, "make"}
    assert len(NOT_RUN) <= 15
