#!/bin/sh
# Bring the packages of a file of pinned requirements, and sigmasight itself, into .venv:
# install_packages.sh PYTHON FILE
# By uv, which takes a third of pip's time; by pip where uv cannot reach the packages, since only pip
# knows pip's own mirrors. In a terminal one line says each second how far that is; elsewhere their
# own lines are shown.
python=$1 file=$2 log=.venv/install.log

packages() (
	[ -x .venv/bin/python ] || "$python" -m venv .venv || exit
	pip="env PIP_DISABLE_PIP_VERSION_CHECK=1 .venv/bin/pip install"
	uv=$(command -v uv) || {
		uv=.venv/installer/bin/uv
		trap 'rm -rf .venv/installer' EXIT
		sed -n '/^uv==/,/[^\\]$/p' requirements-test.txt > .venv/uv.txt
		$pip --quiet --require-hashes --target .venv/installer -r .venv/uv.txt
	}
	"$uv" pip install --system-certs --python .venv --compile-bytecode --require-hashes -r "$file" &&
		"$uv" pip install --system-certs --python .venv --no-deps -e . ||
		{ $pip --require-hashes -r "$file" && $pip --no-deps -e .; }
)

if ! [ -t 1 ]; then
	packages
	exit
fi
mkdir -p .venv
all=$(grep -c == "$file") begun=$(date +%s)
packages > "$log" 2>&1 &
job=$!
trap 'kill $job; exit 130' INT TERM # what is in the background ignores an interrupt
while kill -0 $job 2> /dev/null; do
	installed=$(find .venv/lib -maxdepth 3 -name '*.dist-info' 2> /dev/null | wc -l)
	printf '\rpackages: %d of %d installed, %d s ' "$installed" "$all" $(($(date +%s) - begun))
	sleep 0.2
done
wait $job || {
	echo
	cat "$log" >&2
	exit 1
}
echo
