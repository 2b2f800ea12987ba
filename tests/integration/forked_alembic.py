"""Alembic's command in processes that are forked from one that has imported everything."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from app.migration_environment import PROJECT_ROOT

# The imports take ten times as long as what most commands do.
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


class Run(Protocol):
    """Runs the command with `words`, in a folder and an environment of its own."""

    def __call__(
        self, words: Sequence[str], env: Mapping[str, str], folder: Path
    ) -> subprocess.CompletedProcess[str]: ...


@contextmanager
def forked_alembic() -> Iterator[Run]:
    """Start the process that forks; it ends with the block."""
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
            words: Sequence[str], env: Mapping[str, str], folder: Path
        ) -> subprocess.CompletedProcess[str]:
            with tempfile.NamedTemporaryFile("r") as out, tempfile.NamedTemporaryFile("r") as err:
                order = {"words": words, "env": env, "folder": str(folder)}
                orders.write(json.dumps({**order, "outputs": [out.name, err.name]}) + "\n")
                orders.flush()
                code = int(codes.readline())
                return subprocess.CompletedProcess(words, code, out.read(), err.read())

        yield run
        orders.close()
