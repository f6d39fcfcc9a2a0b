#!/usr/bin/env bash
# Runs the benchmarks of every package that has some: scripts/bench.sh [pattern]. The machine is named, since figures of
# different machines do not compare; ratios and percentiles are printed by the benchmarks as metrics of their own.
set -euo pipefail
cd "$(dirname "$0")/.."
cores=$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo '?')
model=$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo 2>/dev/null | head -n 1 || true)
echo "machine: $cores cores, ${model:-unknown}, $("${GO:-go}" env GOOS GOARCH GOVERSION | tr '\n' ' ')"
git ls-files --cached --others --exclude-standard '*_test.go' | xargs grep -l '^func Benchmark' | xargs -n 1 dirname | sort -u | while read -r dir; do
	echo "== ./$dir"
	"${GO:-go}" test "./$dir" -run '^$' -bench "${1:-.}" -benchtime "${BENCHTIME:-1x}" -timeout 30m
done
