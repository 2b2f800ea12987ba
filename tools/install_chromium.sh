#!/usr/bin/env bash
# Installs Debian's chromium, by which the tests look at the dashboard. For root, on Debian, where a
# machine has no browser yet; where there is one, nothing happens.
set -euo pipefail
exec 9>/tmp/sigmasight-chromium.lock
if command -v flock > /dev/null; then flock 9; fi
if ! command -v chromium > /dev/null; then
  export DEBIAN_FRONTEND=noninteractive
  apt-get -qq update
  apt-get -qq install --yes --no-install-recommends chromium > /dev/null
fi
command -v chromium
