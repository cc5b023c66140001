#!/bin/sh
# npm test: set-up on a fresh machine, then lint, types, and every test (unit, contract, end to end with real Blender). Ends with `N passed, N failed`.
set -eu
cd "$(dirname "$0")/.."
eval "$(sh scripts/toolchain.sh)"
sh scripts/setup.sh
rc=0
echo "# lint and types"
pnpm run -s lint &
lint=$!
pnpm run -s typecheck || rc=1
wait "$lint" || rc=1
node scripts/run-tests.ts || rc=1
exit $rc
