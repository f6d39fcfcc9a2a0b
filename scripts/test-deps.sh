#!/usr/bin/env bash
# Installs what the tests need beside Go: a C compiler for the race detector, a real redis-server and Node.js with the
# Socket.IO and gateway clients of npm that capture programs and bots are built on. As root on Debian it installs; elsewhere
# it names what is missing and fails, since no test of ours skips. What the tests need from Go modules (the nats CLI, the
# gateway clients of Go) is fetched here too, so that no test waits for a download.
set -euo pipefail
cd "$(dirname "$0")/.."

missing=()
need() { # need <command> <Debian packages>
	command -v "$1" >/dev/null 2>&1 || missing+=("${@:2}")
}
need gcc gcc libc6-dev # the race detector is linked through cgo
need redis-server redis-server
if [ -f e2e/package.json ]; then
	need node nodejs
	need npm npm
fi

if [ ${#missing[@]} -gt 0 ]; then
	if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
		echo "installing for the tests: ${missing[*]}"
		export DEBIAN_FRONTEND=noninteractive
		apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null 2>&1 || {
			apt-get update -qq
			apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
		}
	else
		echo "the tests need these Debian packages or their like, with the commands in PATH: ${missing[*]}" >&2
		echo "  Debian, Ubuntu: sudo apt-get install --no-install-recommends ${missing[*]}" >&2
		exit 1
	fi
fi

if [ -f e2e/package-lock.json ]; then
	# npm ci removes node_modules first, so it runs only when the lock file is newer than what it installed.
	if [ ! -f e2e/node_modules/.package-lock.json ] || [ e2e/package-lock.json -nt e2e/node_modules/.package-lock.json ]; then
		(cd e2e && npm ci --no-audit --no-fund --loglevel=error)
	fi
fi

for module in e2e/*/go.mod; do
	"${GO:-go}" -C "$(dirname "$module")" mod download
done
