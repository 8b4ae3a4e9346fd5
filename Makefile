# Everything a person, a script or CI asks of this project. `make` alone lists it. Needs Debian 12 or 13, make, and Rust
# from rustup; what else is missing is installed by `make tools`, step by step and with its reason.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PROFILE := quick
DMGW := target/$(PROFILE)/dmgw

# How many mutants to try, and by which seed they are picked.
MUTANTS ?= 150
SEED ?= $(shell date +%s)
# Seconds for each fuzz target.
FUZZ_SECONDS ?= 60

.PHONY: help demo test test-release bench mutants fuzz audit tools man fmt

help: ## list what can be asked for
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' Makefile

demo: ## build, play a small plant, and show what the gateway finds and does
	@tests/tools.sh compiler
	cargo build --locked --profile $(PROFILE)
	tests/demo.sh $(DMGW)

test: ## everything that must hold before a change goes in (under 40 minutes on two cores)
	@tests/tools.sh compiler deny filesystems prometheus box pages python modbus mqtt
	@tests/all.sh

test-release: ## the long tests too (some minutes more)
	@tests/tools.sh compiler filesystems prometheus box pages python modbus mqtt machine
	cargo test --locked --profile $(PROFILE) --no-fail-fast -- --include-ignored

bench: ## measure, and judge against benches/floors.toml
	@tests/tools.sh compiler filesystems modbus mqtt
	@tests/bench.sh

mutants: ## do the tests notice broken code? MUTANTS=150 mutants by chance, SEED=… repeats a choice
	@tests/tools.sh compiler mutants
	@tests/mutants.sh $(MUTANTS) $(SEED)

fuzz: ## every decoder of outside bytes, FUZZ_SECONDS=60 each (needs a nightly compiler)
	@tests/tools.sh compiler nightly fuzz
	@tests/fuzz.sh $(FUZZ_SECONDS)

audit: ## ask the network for known faults in what we use
	@tests/tools.sh deny
	cargo deny --locked check advisories

tools: ## install what all of the above needs, where it is missing
	@tests/tools.sh compiler deny filesystems prometheus box pages python modbus mqtt machine mutants nightly fuzz

man: ## the man pages, made from the code, in target/man
	cargo run --locked --example man -- target/man

fmt: ## bring the source into its one form
	cargo fmt
	cargo fmt --manifest-path fuzz/Cargo.toml
