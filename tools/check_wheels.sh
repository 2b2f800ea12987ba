#!/bin/sh
# See that what users install needs no compiler: a wheel of every pin, and of all that it asks for,
# on each Python and machine. Asks the package registry, installs nothing.
set -eu
cd "$(dirname "$0")/.."
for file in requirements.txt requirements-backend.txt; do
	for python in 3.11 3.12 3.13 3.14; do
		for machine in x86_64 aarch64; do
			.venv/bin/uv pip install --quiet --dry-run --require-hashes --only-binary :all: --target .venv/none \
				--python-version $python --python-platform $machine-manylinux_2_28 -r $file
			echo "$file: Python $python on $machine"
		done
	done
done
