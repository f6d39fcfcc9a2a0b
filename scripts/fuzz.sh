#!/usr/bin/env bash
# Runs every fuzz target of the project for a while: scripts/fuzz.sh 10s
# Inputs that are only interesting are hardly made smaller: by default that takes up to a minute each, in which nothing is
# tried and nothing is printed.
set -euo pipefail
cd "$(dirname "$0")/.."
for_each=${1:-10s}
count=0
while IFS=: read -r file line; do
	name=$(sed -E 's/^func (Fuzz[A-Za-z0-9_]*).*/\1/' <<<"$line")
	echo "== ./$(dirname "$file") $name"
	"${GO:-go}" test "./$(dirname "$file")" -run '^$' -fuzz "^$name\$" -fuzztime "$for_each" -fuzzminimizetime 5x
	count=$((count + 1))
done < <(git ls-files --cached --others --exclude-standard '*_test.go' | xargs grep -H '^func Fuzz')
echo "$count fuzz targets ran $for_each each"
