GO ?= go
GOLANGCI_LINT = github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
ACTIONLINT = github.com/rhysd/actionlint/cmd/actionlint@v1.7.12
GORELEASER = github.com/goreleaser/goreleaser/v2@v2.15.4

# The packages of all modules in go.work. Those of deploy/test are not in it: what
# they require would decide the versions that all others are built with.
ALL = github.com/seed-a1d591d3/leadership/...
MODULES = $$($(GO) list -f '{{.Dir}}' -m)
DEPLOY = cd deploy/test && GOWORK=off

# Seeds that the simulations run in `make test`: `make test SIM_SEEDS=100000` for a night.
# The race detector makes a seed seven times slower, and watches RACE_SEEDS of them.
SIM_SEEDS ?= 2000
RACE_SEEDS ?= 250
# Likewise FAILOVER_SEEDS=20, of failovers of PostgreSQL (2), and PAUSES=200, of processes that lead (9).
# EXPLORE_DEPTH=3 has TestExplore make three moves more (with the race detector it makes three less).
# `make bench BENCH=handover/etcd` measures those rows alone, and `make bench-calls BENCH=Handover` those benchmarks.
BENCH ?=

.DEFAULT_GOAL := help
.PHONY: help servers build test test-quick test-race fuzz proof faults faults-long faults-service faults-soak bench bench-calls recording lint vuln tidy release goreleaser format api cover clean

help: ## Print this
	@sed -n 's/^\([a-z-]*\):[^#]*## /\1\t/p' $(MAKEFILE_LIST) | while IFS='	' read -r t d; do printf '  make %-14s %s\n' "$$t" "$$d"; done

servers: ## Install what the tests run against: etcd, Consul, ZooKeeper, Redis, PostgreSQL, PgBouncer, MariaDB, Chromium, axe, z3, cvc5, promtool
	@./internal/servers/install.sh

build: ## Compile everything
	$(GO) build $(ALL)

# What runs on real servers waits most of its time, so several packages go at
# once, those that take longest first; the simulations and the proof take the
# processors that these leave idle. What the solvers prove depends on the models alone:
# it is a run of its own, which go test caches until they change. SQLite's code is C made
# Go: to check its pointers takes a quarter of its tests' time. The report fails for a
# failed test, one that was skipped, a suite that is missing, or a `go test` that failed
# for any other reason.
SIMULATIONS = ./internal/sim ./proof
SOLVERS = 'ByTwoSolvers$$|ActionIsPossible$$|LeadsToABrokenLaw$$|IsNotProved$$'
LONG = $(addprefix ./,store/redis store/postgres internal/tests/kvtools internal/tests/recovery internal/tests/httpapi cmd/leadership store/consul store/zookeeper store/etcd store/sqlite internal/tests/outage internal/election)
FAILED = echo '{"Action":"fail"}'
test: servers ## Run all tests, on real servers, with the race detector
	@export LEADERSHIP_REQUIRE_SERVERS=1; later=$$(mktemp); \
	{ { SIM_SEEDS=$(RACE_SEEDS) nice -n 19 $(GO) test -json -race -timeout 30m -skip $(SOLVERS) $(SIMULATIONS) && \
	    nice -n 19 $(GO) test -json -race -timeout 30m -run $(SOLVERS) ./proof && \
	    SIM_SEEDS=$(SIM_SEEDS) nice -n 19 $(GO) test -json -timeout 30m -run 'TestElections$$|TestRounds$$' ./internal/sim; } > "$$later" 2>&1 & simulations=$$!; \
	  $(GO) test -json -race '-gcflags=modernc.org/...=-d=checkptr=0' -p 5 -timeout 30m $(LONG) $$($(GO) list $(ALL) | grep -v -e /internal/sim -e '/proof$$') || $(FAILED); \
	  ($(DEPLOY) $(GO) test -json -race -timeout 10m ./...) || $(FAILED); \
	  wait $$simulations || $(FAILED); cat "$$later"; rm -f "$$later"; } 2>&1 | $(GO) run ./internal/testreport -strict

test-quick: ## Run the tests that need no servers
	$(GO) test -short $(ALL)

test-race: ## The same, with the race detector
	$(GO) test -short -race $(ALL)

proof: ## Prove the law of elections and rounds by z3, and again by cvc5; break each rule, and print what happens
	$(GO) run ./proof

# FUZZTIME=10m for longer, FUZZ=httpapi for those of a folder or name alone.
fuzz: ## Fuzz what is read from others, a minute each: records, URLs, requests, specs
	@GO=$(GO) FUZZTIME=$(FUZZTIME) FUZZ='$(FUZZ)' internal/fuzzing/run.sh

# `make faults-long RUNS=100 FAULTS='--store redis'` makes more runs of fewer cells.
RUNS ?= 20
faults: servers ## Strike real processes and servers with faults, each store in short, and find sabotaged ones (10 minutes)
	$(GO) run ./faults/cmd/faults --short --parallel 6 --limit 7m $(FAULTS)
	$(GO) run ./faults/cmd/faults --sabotaged --parallel 4

faults-long: servers ## The same for all cells, 20 seeds each (hours); adds to docs/faults.md
	$(GO) run ./faults/cmd/faults --record --missing --ttl 500ms --every 10ms --parallel 8 --runs $(RUNS) $(FAULTS)

faults-service: servers ## Kill servers and stores under 500 clients of the HTTP service (5 minutes)
	$(GO) run ./faults/cmd/service $(FAULTS)

faults-soak: servers ## Elections on every store for an hour, a fault every 10 s; fails if they need more in the end
	$(GO) run ./faults/cmd/soak $(FAULTS)

bench: servers ## Measure this library beside its peers, on real servers, and write docs/benchmarks.md (25 minutes)
	$(GO) run ./bench/cmd/bench --record --row '$(BENCH)'

bench-calls: servers ## Run the benchmarks that are tests: single calls, on real servers
	LEADERSHIP_REQUIRE_SERVERS=1 $(GO) test -run '^$$' -bench '$(or $(BENCH),.)' -p 1 $(ALL)

recording: ## Draw docs/failover.svg: what processes print while one that leads is killed
	$(GO) run ./internal/recording

lint: ## Check format, vet, golangci-lint, the workflows, and for known vulnerabilities (the first run compiles all that)
	@unformatted=$$(gofmt -l .); if [ -n "$$unformatted" ]; then echo "gofmt -w:"; echo "$$unformatted"; exit 1; fi
	$(GO) vet $(ALL)
	$(GO) run $(GOLANGCI_LINT) run $$($(GO) list -f '{{.Dir}}/...' -m)
	$(DEPLOY) $(GO) vet ./... && GOWORK=off $(GO) run $(GOLANGCI_LINT) run -c ../../.golangci.yml ./...
	$(GO) run $(ACTIONLINT) .github/workflows/*.yml
	@GO=$(GO) ./internal/house/vuln.sh $(VULN)

vuln: ## Look for known vulnerabilities: make vuln VULN=strict fails where their database cannot be reached
	@GO=$(GO) ./internal/house/vuln.sh $(VULN)

tidy: ## Bring the go.mod of all modules up to date with what they import
	@for dir in $(MODULES) deploy/test; do (cd $$dir && GOWORK=off $(GO) mod tidy $(TIDY)) || exit 1; done

release: ## Check a release of all modules: make release VERSION=v1.2.3; DRY_RUN=0 sets its tags
	@$(GO) run ./internal/tests/release -version '$(VERSION)' $(if $(filter 0,$(DRY_RUN)),-tag)

goreleaser: ## Check what a release publishes besides its tags (the first run compiles goreleaser: minutes)
	$(GO) run $(GORELEASER) check

format: ## Format the code
	gofmt -w .

api: ## Compare the exported names with those of a commit or tag: make api BASE=v1.0.0
	@GO=$(GO) ./internal/house/api.sh $(BASE)

cover: servers ## Tell which share of the statements of each package the tests reach, and write bin/cover.html
	@rm -rf bin/cover && mkdir -p bin/cover
	LEADERSHIP_REQUIRE_SERVERS=1 $(GO) test -p 1 -timeout 30m -cover -coverpkg $(ALL) $(ALL) -args -test.gocoverdir=$(CURDIR)/bin/cover
	$(GO) tool covdata textfmt -i bin/cover -o bin/cover.out
	$(GO) tool cover -html bin/cover.out -o bin/cover.html
	$(GO) tool covdata percent -i bin/cover | sed 's/coverage: //; s/ of statements//' | tee bin/cover.txt
	$(GO) tool cover -func bin/cover.out | tail -1

clean: ## Remove what was built here (the servers stay)
	rm -rf bin
	find . -name '*.test' -type f -delete
