# Stumper: a thin front over meson. `make help` lists what there is.
SHELL        := /bin/bash
PREFIX       ?= /usr/local
DESTDIR      ?=
FUZZ_SECONDS ?= 60
SOAK_SECONDS ?= 1800
KILLS        ?= 200
CHAOS_SECONDS ?= 600
W            ?=
RUNS         ?= 3

.DEFAULT_GOAL := build
.PHONY: build demo check crash chaos soak bench bench-answers check-answers differential lint fuzz install clean help

build: ## Build build/stumper (the default)
	@scripts/install-deps --ask build
	@test -f build/build.ninja || log=$$(meson setup build $(MESON_OPTIONS) 2>&1) || { echo "$$log"; exit 1; }
	@ninja -C build stumper

demo: ## Install what is missing, build, and watch a real job against the simulated provider
	@scripts/install-deps build
	@$(MAKE) --no-print-directory build
	@scripts/demo

check: ## Install what is missing, build with sanitizers, run every test
	@scripts/check

crash: ## Kill the store at every commit, cut its power in every write, kill the service KILLS (200) times
	@scripts/install-deps check
	@$(MAKE) --no-print-directory build
	@STUMPER_KILLS=$(KILLS) scripts/endure crash

chaos: ## A fleet on PostgreSQL in trouble for CHAOS_SECONDS (600) with each broker: nothing lost, nothing doubled
	@scripts/install-deps check
	@$(MAKE) --no-print-directory build
	@STUMPER_CHAOS_S=$(CHAOS_SECONDS) STUMPER_CHAOS_WORKERS=10 scripts/endure chaos

soak: ## Half an hour (SOAK_SECONDS) of mixed load on the service: memory and disk must stay flat
	@scripts/install-deps check
	@$(MAKE) --no-print-directory build
	@SOAK_SECONDS=$(SOAK_SECONDS) scripts/endure soak

bench: ## Measure against three peers; W="W1 kill service" chooses workloads, RUNS=1 is quick
	@scripts/install-deps bench
	@$(MAKE) --no-print-directory build
	@scripts/bench --runs $(RUNS) $(W)

bench-answers: ## Measure the comparison of answers, beside a SymPy check
	@scripts/install-deps bench
	@$(MAKE) --no-print-directory build
	@ninja -C build tests/answer/bench_answers
	@/usr/bin/python3 bench/answers.py --program build/tests/answer/bench_answers --stumper build/stumper

check-answers: ## Compare a million pairs that are equal by construction, and a million that are not
	@scripts/install-deps build
	@$(MAKE) --no-print-directory build
	@ninja -C build answer-million

differential: ## Compare generated pairs, with SymPy as a second opinion
	@scripts/install-deps bench
	@$(MAKE) --no-print-directory build
	@ninja -C build answer-differential

lint: ## Format, clang-tidy, shell scripts, manual page, spelling
	@scripts/install-deps lint
	@scripts/lint

fuzz: ## Run each fuzz target for FUZZ_SECONDS (60)
	@scripts/install-deps fuzz
	@FUZZ_SECONDS=$(FUZZ_SECONDS) scripts/fuzz

install: build ## Install the program and its manual page (PREFIX, DESTDIR)
	@meson configure build --prefix "$(PREFIX)"
	@ninja -C build stumper
	@DESTDIR="$(DESTDIR)" meson install -C build --no-rebuild

clean: ## Remove everything that was built
	rm -rf build build-*

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' Makefile
