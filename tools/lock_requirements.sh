#!/bin/sh
# Pin every package with its hashes, without any index address. Needs `uv` on PATH.
set -eu
cd "$(dirname "$0")/.."
compile() { uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes \
  --no-header --no-annotate --no-emit-index-url --quiet "$@"; }
compile --output-file requirements.txt
compile --extra test --constraint requirements.txt --output-file requirements-test.txt
