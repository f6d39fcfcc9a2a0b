# `make help` lists the targets. Everything needs Go only, but for `make test`, which installs what scripts/test-deps.sh names.

GO          ?= go
VERSION     ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
STATICCHECK ?= honnef.co/go/tools/cmd/staticcheck@v0.8.2
FUZZTIME    ?= 10s
BENCH       ?= .
RUNFLAGS    ?=

.DEFAULT_GOAL := build

.PHONY: build
build: ## Build ./splashtail (this is what plain `make` does)
	@test -x splashtail || echo "building ./splashtail: the first build compiles every dependency, about 100 s on 2 cores (later ones: seconds)"
	@$(GO) build -ldflags '-X main.version=$(VERSION)' -o splashtail .

.PHONY: buildbot
buildbot: build ## The same; for whoever types it from memory

.PHONY: run
run: build ## Everything in one process, with stand-ins for Discord and Redis, and a round of Among Us that plays by itself
	@exec ./splashtail up --scene --broker-bind=127.0.0.1 $(RUNFLAGS)

.PHONY: test
test: test-deps ## Every test, with the race detector, end to end ones too
	$(GO) test -race -timeout 15m $$($(GO) list ./... | grep -Ev '/(broker|gatewayproxy/upstream|e2e)$$')
	$(GO) test -race -timeout 15m -p 1 ./broker ./gatewayproxy/upstream ./e2e

.PHONY: test-deps
test-deps: ## Install what the tests need beside Go (Debian as root), or say what is missing
	@scripts/test-deps.sh

.PHONY: check
check: ## Format, vet, staticcheck, the rules of the house, and no stale page in docs/
	@scripts/gofmt.sh
	$(GO) vet ./...
	$(GO) run $(STATICCHECK) ./...
	$(GO) test . ./bus -run 'Deps|Docs|Golden|Topology'

.PHONY: docs
docs: ## Render docs/config.md, docs/topology.md and golden files anew
	$(GO) test . ./bus -run 'Docs|Golden|Topology' -update

.PHONY: bench
bench: ## Run the benchmarks (BENCH=pattern selects)
	@scripts/bench.sh '$(BENCH)'

.PHONY: fuzz
fuzz: ## Run every fuzz target for FUZZTIME (10s) each
	@scripts/fuzz.sh $(FUZZTIME)

.PHONY: all
all: build check test ## Build, check and test

.PHONY: clean
clean: ## Remove the binary; data/ stays
	rm -f splashtail

.PHONY: help
help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
