"""Where statements stand: long ones in files, each in its package."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("app", "ops", "infra", "flows")
MOST_LINES = 7
STATEMENT = re.compile(r"\b(SELECT|INSERT INTO|UPDATE|DELETE FROM|WITH)\b")


def long_statements(source: str) -> Iterator[int]:
    """The lines at which a statement begins that is too long to stand in code."""
    nodes = list(ast.walk(ast.parse(source))) if STATEMENT.search(source) else []
    said = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    for node in nodes:
        if isinstance(node, ast.Constant | ast.JoinedStr) and id(node) not in said:
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > MOST_LINES and STATEMENT.search(ast.unparse(node)):
                yield node.lineno


@pytest.mark.parametrize("room", ROOMS)
def test_long_statements_stand_in_files(room: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in (ROOT / room).rglob("*.py")
        for line in long_statements(path.read_text())
    ]
    assert found == [], f"a statement of more than {MOST_LINES} lines goes into sql/ of its package"


def test_a_long_statement_is_found() -> None:
    assert list(long_statements('x = """SELECT\n' + "1,\n" * MOST_LINES + '2"""')) == [1]


@pytest.mark.parametrize("room", ["app", "ops"])
def test_every_statement_file_is_read_by_its_name(room: str) -> None:
    code = "".join(path.read_text() for path in (ROOT / room).rglob("*.py"))
    code += "".join(path.read_text() for path in (ROOT / "benchmarks").rglob("*.py"))
    unread = [
        str(path.relative_to(ROOT))
        for path in (ROOT / room).rglob("sql/*.sql")
        if not re.search(rf"[\"'/]{path.stem}[\"']", code)
    ]
    assert unread == []
