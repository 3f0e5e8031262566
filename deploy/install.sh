#!/bin/sh
# Installs this checkout as a service of systemd, or upgrades the one that is there. Run it as root;
# run it again whenever you like. Arguments go to `tradebaas service install` (--help tells them).
set -eu
cd "$(dirname "$0")/.."
sh scripts/setup
exec "${VENV:-.venv}/bin/tradebaas" service install "$@"
