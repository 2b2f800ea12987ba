"""Whether the tests notice a fault: draw mutants of packages and run the tests that cover each.

    python tools/mutants.py --seed 7 --count 60 ops/cutover ops/copy

A first run of the quick tests records which test runs which line; the record stays in .mutants/.
Each mutant is made in a throw-away copy of the tracked files, never here.
"""

import argparse
import ast
import difflib
import os
import queue
import random
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

from coverage import CoverageData

ROOT = Path(__file__).resolve().parent.parent
RECORD = ROOT / ".mutants" / "coverage"
QUICK = ("tests/unit", "tests/integration", "tests/infra")
COPIES = 2
Covering = dict[tuple[str, int], list[str]]

_OPPOSITE: dict[type[ast.AST], type[ast.AST]] = {
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE,
    ast.GtE: ast.Gt, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
    ast.And: ast.Or, ast.Or: ast.And, ast.Add: ast.Sub, ast.Sub: ast.Add,
}  # fmt: skip


@dataclass(frozen=True)
class Mutant:
    """One change: something in `line` of `path`, in the statement that begins with another line,
    is written otherwise."""

    path: str
    line: int
    statement: int
    source: str

    def diff(self) -> str:
        """The change, as few lines as show it."""
        before = (ROOT / self.path).read_text().splitlines()
        lines = difflib.unified_diff(before, self.source.splitlines(), lineterm="", n=0)
        return "\n".join(f"    {line}" for line in list(lines)[2:])


def mutants_of(path: Path) -> Iterator[Mutant]:
    """Every mutant of a file."""
    source = path.read_bytes()
    tree = ast.parse(source)
    opaque = {
        id(inner)
        for outer in ast.walk(tree)
        if isinstance(outer, ast.JoinedStr) or _is_main(outer)
        for inner in ast.walk(outer)
    }
    starts = [0]
    for row in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(row))
    statement = {
        id(inner): outer.lineno
        for outer in ast.walk(tree)  # from the outside in: the innermost stays
        if isinstance(outer, ast.stmt)
        for inner in ast.walk(outer)
    }
    for node in ast.walk(tree):
        if id(node) in opaque:
            continue
        for part, text in _written_otherwise(node):
            begin = starts[part.lineno - 1] + part.col_offset
            end = starts[(part.end_lineno or 0) - 1] + (part.end_col_offset or 0)
            changed = source[:begin] + text.encode() + source[end:]
            name = str(path.relative_to(ROOT))
            yield Mutant(name, part.lineno, statement[id(part)], changed.decode())


def _is_main(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "__main__" in ast.unparse(node.test)


def _written_otherwise(node: ast.AST) -> Iterator[tuple[ast.stmt | ast.expr, str]]:
    """Parts of the node, each with what is to stand in its place."""
    match node:
        case ast.Compare(ops=[only]) if type(only) in _OPPOSITE:
            yield node, _with(node, "ops", [_OPPOSITE[type(only)]()])
        case ast.BoolOp(op=op) | ast.BinOp(op=op) if type(op) in _OPPOSITE:
            yield node, _with(node, "op", _OPPOSITE[type(op)]())
        case ast.UnaryOp(op=ast.Not()):
            yield node, f"({ast.unparse(node.operand)})"
        case ast.Constant(value=bool(value)):
            yield node, str(not value)
        case ast.Constant(value=int(value)):
            yield node, str(value + 1)
        case ast.Return(value=ast.expr() as value) if ast.unparse(value) != "None":
            yield node, "return None"
        case ast.Raise() | ast.Expr(value=ast.Call() | ast.Await()):
            yield node, "pass"
        case ast.If(test=test):
            yield test, "False"
        case ast.IfExp(test=test):
            yield from ((test, "True"), (test, "False"))


def _with(node: ast.expr, field: str, value: object) -> str:
    other = deepcopy(node)
    setattr(other, field, value)
    return f"({ast.unparse(other)})"


def covering(record: Path) -> Covering:
    """File and line → the tests that run it, the most special (with the fewest lines) first."""
    data = CoverageData(str(record))
    data.read()
    tests: Covering = defaultdict(list)
    lines: Counter[str] = Counter()
    for file in data.measured_files():
        for line, contexts in data.contexts_by_lineno(file).items():
            names = {name.partition("|")[0].rpartition("@")[0] or name.partition("|")[0]
                     for name in contexts if name}  # fmt: skip
            lines.update(names)
            tests[os.path.relpath(file, ROOT), line] = list(names)
    return {place: sorted(names, key=lambda n: (lines[n], n)) for place, names in tests.items()}


def record_coverage() -> None:
    """Run the quick tests once, each line with the tests that run it."""
    RECORD.parent.mkdir(exist_ok=True)
    words = ["-n2", "--dist=loadgroup", "--no-loadscope-reorder", "-q", *QUICK]
    options = ["--cov", "--cov-context=test", "--cov-report=", "--cov-fail-under=0"]
    subprocess.run(
        [sys.executable, "-m", "pytest", *words, *options],
        cwd=ROOT,
        env={**os.environ, "COVERAGE_FILE": str(RECORD)},
        check=True,
    )


def verdict(mutant: Mutant, tests: Sequence[str], copy: Path, seconds: float) -> str:
    """`killed`, `timed out`, `survived`, or that no test was to be run."""
    if not tests:
        return "survived: no quick test runs this line"
    target = copy / mutant.path
    target.write_text(mutant.source)
    words = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests]
    environment = {**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    process = subprocess.Popen(
        words, cwd=copy, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    try:
        output, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGINT)  # so that it stops the servers that it has started
        with suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=60)
        process.kill()
        return "timed out"
    finally:
        shutil.copy(ROOT / mutant.path, target)
    if process.returncode not in (0, 1):
        return f"not run: {output.decode().strip().splitlines()[-1]}"
    return "killed" if process.returncode else "survived"


def copy_tracked(folder: Path) -> Path:
    """The tracked files, as they are here."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    for name in filter(lambda name: (ROOT / name).is_file(), listed.stdout.splitlines()):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    return folder


def verdicts(drawn: Sequence[Mutant], most_tests: int, seconds: float) -> Iterator[str]:
    """What became of each mutant, in order; several are tried at once."""
    tests = covering(RECORD)
    with tempfile.TemporaryDirectory(prefix="sigmasight-mutants-") as folder:
        free: queue.Queue[Path] = queue.Queue()
        for number in range(COPIES):
            free.put(copy_tracked(Path(folder) / str(number)))

        def judge(mutant: Mutant) -> str:
            lines = (mutant.line, mutant.statement)
            chosen = next((found for at in lines if (found := tests.get((mutant.path, at)))), [])
            copy = free.get()
            try:
                return verdict(mutant, chosen[: most_tests or None], copy, seconds)
            finally:
                free.put(copy)

        with ThreadPoolExecutor(COPIES) as pool:
            yield from pool.map(judge, drawn)


def main() -> None:
    """Draw, judge, and tell."""
    # A shell ignores it for what it runs in the background, and so would the tests.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    options = _options()
    if options.record or not RECORD.exists():
        record_coverage()
    files = sorted({file for name in options.packages for file in (ROOT / name).rglob("*.py")})
    every = [mutant for file in files for mutant in mutants_of(file)]
    drawn = random.Random(options.seed).sample(every, min(options.count, len(every)))
    tell(f"seed {options.seed}: {len(drawn)} of {len(every)} mutants of {len(files)} files")
    counts = Counter[str]()
    found = verdicts(drawn, options.tests, options.seconds)
    for number, (mutant, one) in enumerate(zip(drawn, found, strict=True), start=1):
        counts[one.partition(":")[0]] += 1
        tell(f"{number}. {mutant.path}:{mutant.line} {one}\n{mutant.diff()}")
    tell(f"seed {options.seed}: " + ", ".join(f"{n} {kind}" for kind, n in counts.items()))


def tell(text: str) -> None:
    """A line at once: a run takes minutes."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("packages", nargs="+", help="folders below the project's root")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--tests", type=int, default=40, help="at most so many a mutant; 0: all")
    parser.add_argument("--seconds", type=float, default=180.0, help="time-out of a mutant")
    parser.add_argument("--record", action="store_true", help="record the coverage anew")
    return parser.parse_args()


if __name__ == "__main__":
    main()
