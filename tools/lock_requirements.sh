#!/bin/sh
# Pin every package with its hashes, without any index address.
set -eu
cd "$(dirname "$0")/.."
compile() { .venv/bin/uv pip compile "$@" --universal --python-version 3.11 --generate-hashes \
  --no-header --no-annotate --no-emit-index-url --quiet; }
compile pyproject.toml --output-file requirements.txt
compile pyproject.toml --extra test --extra dask --constraint requirements.txt --output-file requirements-test.txt
compile requirements-backend.in --constraint requirements.txt --output-file requirements-backend.txt
tools/check_wheels.sh
