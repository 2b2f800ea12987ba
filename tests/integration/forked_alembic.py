"""Alembic's command in processes that are forked from one that has imported everything."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from app.chain_folders import PROJECT_ROOT

Run = Callable[..., subprocess.CompletedProcess[str]]

# The imports take longer than all that most commands do.
_FORKS = """
import json, os, sys
import alembic.config, app.migration_environment, sqlalchemy

sqlalchemy.create_engine("postgresql+psycopg://")
for line in sys.stdin:
    order = json.loads(line)
    child = os.fork()
    if not child:
        os.environ.clear()
        os.environ.update(order["env"])
        os.chdir(order["folder"])
        for number, file in enumerate(order["outputs"], 1):
            os.dup2(os.open(file, os.O_WRONLY), number)
        alembic.config.main(order["words"], prog="alembic")
        sys.exit()
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


def arguments(ini: str, *words: str) -> list[str]:
    """The words after the command's name; those of the start command where none are given."""
    return ["-c", str(PROJECT_ROOT / ini), *(words or ("upgrade", "head"))]


@contextmanager
def forked_alembic() -> Iterator[Run]:
    """Start the process that forks; it ends with the block, which gets what runs a command."""
    with subprocess.Popen(
        [sys.executable, "-c", _FORKS],
        cwd=PROJECT_ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as forks:
        assert forks.stdin is not None
        assert forks.stdout is not None
        orders, codes = forks.stdin, forks.stdout

        def run(
            ini: str, env: dict[str, str], folder: Path, *words: str
        ) -> subprocess.CompletedProcess[str]:
            with tempfile.NamedTemporaryFile("r") as out, tempfile.NamedTemporaryFile("r") as err:
                order = {"words": arguments(ini, *words), "env": env, "folder": str(folder)}
                orders.write(json.dumps({**order, "outputs": [out.name, err.name]}) + "\n")
                orders.flush()
                code = int(codes.readline())
                return subprocess.CompletedProcess(words, code, out.read(), err.read())

        yield run
        orders.close()
