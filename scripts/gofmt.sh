#!/usr/bin/env bash
# Fails and names the files that gofmt would change.
set -euo pipefail
cd "$(dirname "$0")/.."
files=$(git ls-files --cached --others --exclude-standard '*.go' | while read -r f; do [ -f "$f" ] && echo "$f"; done)
bad=$(echo "$files" | xargs -r gofmt -l)
if [ -n "$bad" ]; then
	printf 'gofmt would change:\n%s\n' "$bad" >&2
	exit 1
fi
