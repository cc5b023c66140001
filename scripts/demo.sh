#!/bin/sh
# npm run demo: set-up on a fresh machine, then the main job. Runs from source, no build.
set -eu
cd "$(dirname "$0")/.."
eval "$(sh scripts/toolchain.sh)"
sh scripts/setup.sh
exec node --conditions=source --disable-warning=ExperimentalWarning packages/cli/src/main.ts demo "$@"
