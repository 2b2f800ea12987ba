#!/usr/bin/env bash
# Builds the Pulumi command line from its Go module into the user's cache, and prints its path.
#
# For machines with a Go toolchain where Pulumi cannot be installed the usual way. About six
# minutes the first time; a finished build is only printed. `--path` prints without building.
set -euo pipefail
cd "$(dirname "$0")/pulumi"

package=github.com/pulumi/pulumi/pkg/v3
version=$(sed -n "s|.*$package \(v[0-9.]*\).*|\1|p" go.mod)
folder="${XDG_CACHE_HOME:-$HOME/.cache}/sigmasight/pulumi-$version"
program="$folder/bin/pulumi"
if [ "${1:-}" = --path ] || [ -x "$program" ]; then
  echo "$program"
  exit 0
fi

# Several builds at once would only starve each other; a killed one leaves no half-made program.
mkdir -p "$folder/bin"
exec 9>"$folder/.lock"
if command -v flock > /dev/null; then flock 9; fi
if [ ! -x "$program" ]; then
  # Without its version set, the Automation API cannot read what the program says of itself.
  flag="github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=$version"
  go build -trimpath -ldflags "-s -w -X $flag" -o "$folder/pulumi.part" "$package/cmd/pulumi"
  mv "$folder/pulumi.part" "$program"
fi
echo "$program"
