#!/usr/bin/env bash
# pytest-xdist 3.8.0 with pytest 9.2.0: `--dist loadgroup` runs, and does not group.
#
# What most expect: tests that bear one xdist_group mark run in one worker, and where a version of
# pytest is not supported, something says so.
# What happens: with pytest 9.2.0 the four tests of one group are spread over both workers, without a
# warning; with 9.1.1 they stay in one. A scene that a group shares is then made twice, and tests that
# rely on sharing it fail here and there. (Upstream: pytest-xdist issue 1386.)
# Output seen: "pytest 9.1.1: 1 worker(s)" and "pytest 9.2.0: 2 worker(s)".
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat > "$folder/test_group.py" <<'PY'
import os
import time

import pytest


@pytest.mark.xdist_group("one")
@pytest.mark.parametrize("number", range(4))
def test_worker(number):
    with open("workers", "a") as seen:
        seen.write(os.environ["PYTEST_XDIST_WORKER"] + "\n")
    time.sleep(0.3)
PY
workers() { # PYTEST_VERSION
  python3 -m venv "$folder/$1"
  "$folder/$1/bin/pip" install -q --disable-pip-version-check "pytest==$1" pytest-xdist==3.8.0
  (cd "$folder" && rm -f workers && "$folder/$1/bin/pytest" -q -n 2 --dist loadgroup > /dev/null)
  sort -u "$folder/workers" | wc -l
}
grouped=$(workers 9.1.1)
spread=$(workers 9.2.0)
echo "pytest 9.1.1: $grouped worker(s)"
echo "pytest 9.2.0: $spread worker(s)"
[ "$grouped" = 1 ] && [ "$spread" = 2 ]
