"""What README and the documents show can be typed: commands and options of ours exist, targets of
make too, and some test types them. What none does stands on a list, with the reason."""

import ast
import re
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
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
# Commands of ours that no test types, and what is run instead.
NOT_TYPED = {
    ("backfill", "--engine"): "an extra; test_backfill_dask.py runs this engine in its own process",
    ("copy", "--accept-legacy"): "test_copy_source.py calls what it does, on two old databases",
    ("pulumi", "--show-secrets"): "Pulumi's own option",
    ("swap", "--plan-id"): "test_cutover_refusals.py gives the id to the swap itself",
    ("uninstall", "--account"): "the system account of this machine, which others may use",
}
_REFUSALS = {"test_refused_words.py", "bad_input_cases.py"}  # typed, to be refused
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


@cache
def typed() -> frozenset[tuple[str, frozenset[str]]]:
    """Commands with their options, as calls, lists and texts of the tests spell them."""
    files = [path for path in (ROOT / "tests").rglob("*.py") if path.name not in _REFUSALS]
    nodes = (
        node
        for path in files
        if path != Path(__file__)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call | ast.List | ast.Tuple | ast.JoinedStr | ast.Constant)
    )
    return frozenset(_spelt(words) for words in map(_words, nodes) if words)


def _words(node: ast.AST) -> list[str]:
    """The words of the texts in a call's arguments, a list or a text."""
    parts = node.args if isinstance(node, ast.Call) else [node]
    texts = (each for part in parts for each in ast.walk(part) if isinstance(each, ast.Constant))
    words = [word for each in texts if isinstance(each.value, str) for word in each.value.split()]
    return words[1:] if words[:1] == [cli.NAME] else words


def _spelt(words: list[str]) -> tuple[str, frozenset[str]]:
    return words[0], frozenset(word.split("=")[0] for word in words if word.startswith("--"))


def test_what_documents_show_is_typed_by_some_test() -> None:
    shown_words = {_spelt(words) for document in DOCUMENTS for words in commands(document)}
    assert len(NOT_RUN) + len(NOT_TYPED) <= 15
    untyped = {
        (name, options)
        for name, options in shown_words
        if not any(name == one and options <= more for one, more in typed())
    }
    excused = {each for each in untyped if any((each[0], one) in NOT_TYPED for one in each[1])}
    assert untyped == excused, "type it in a test, or say in NOT_TYPED why none does"


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
