#!/bin/sh
# Make .venv with the packages of a file of pinned requirements, and sigmasight itself:
# install_packages.sh PYTHON FILE
# In a terminal one line says each second how far that is, since pip is silent while it unpacks;
# elsewhere pip's own lines are shown.
python=$1 file=$2 log=.venv/install.log

packages() {
	"$python" -m venv .venv &&
		exec .venv/bin/pip install --disable-pip-version-check --require-hashes -r "$file"
}

itself() {
	exec .venv/bin/pip install --disable-pip-version-check --no-deps -e .
}

if ! [ -t 1 ]; then
	(packages) && (itself)
	exit
fi
mkdir -p .venv
: > "$log"
all=$(grep -c == "$file") begun=$(date +%s)
for stage in packages itself; do
	$stage >> "$log" 2>&1 &
	job=$!
	trap 'kill $job; exit 130' INT TERM # what is in the background ignores an interrupt
	while kill -0 $job 2> /dev/null; do
		found=$(grep -c ^Collecting "$log")
		installed=$(find .venv/lib -maxdepth 3 -name '*.dist-info' 2> /dev/null | wc -l)
		printf '\rpackages: %d of %d found, %d installed, %d s ' \
			"$found" "$all" "$installed" $(($(date +%s) - begun))
		sleep 0.2
	done
	wait $job || {
		echo
		cat "$log" >&2
		exit 1
	}
done
echo
