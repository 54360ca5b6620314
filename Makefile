# Phony targets only. `make check` is the law on every machine; CI runs `.ci/run`.
.PHONY: help check check-long lint types contracts test fix snapshots wheel docs fuzz bench simulate conformance

help: ## List the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'

check: lint types contracts ## Lint, types, contracts and everything that runs in memory (90 s)
	pytest -q -n auto -m "not slow" -o faulthandler_timeout=120 -o faulthandler_exit_on_timeout=true

check-long: lint types contracts ## The full counts that an issue asks for
	AGENTCTL_TEST_PROFILE=long pytest -q -n auto

lint: ## Ruff, formatting included
	ruff format --check .
	ruff check .

types: ## mypy, strict
	mypy

contracts: ## The architecture, executable
	lint-imports

test: ## The whole suite, as the README says
	pytest -n auto

fix: ## Format, and mend what ruff can mend
	ruff format .
	ruff check --fix .

snapshots: ## Rewrite the recorded outputs; read the difference before you commit it
	pytest -q --snapshot-update --inline-snapshot=fix

docs: ## Regenerate docs/cli.md and docs/diagnostics.md
	python -m tests.house.write_docs

MINUTES ?= 4
fuzz: ## Fuzz every parser, MINUTES altogether; what it finds is kept under tests/corpus/fuzz
	python -m agentctl.testing.fuzz $(MINUTES) $(PARSERS)

NODE ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/agentctl-ci-node
conformance: ## The official MCP conformance suites against this server, with Node 22 from npm
	AGENTCTL_NODE_BIN=$${AGENTCTL_NODE_BIN:-$$(.ci/node '$(NODE)')} python -m tests.conformance_mcp.suites

SEED ?= 0
simulate: ## Replay a seed of the simulation, with its trace; or SEED=0..999 for what they covered
	python -m agentctl.testing.simulation $(SEED)

bench: ## Ratios against something real; docs/benchmarks.md says how to read them
	python -m benchmarks.validate
	python -m benchmarks.plan
	python -m benchmarks.ledger
	python -m benchmarks.mcp
	python -m benchmarks.policy
	python -m benchmarks.graph
	python -m benchmarks.sandbox

wheel: ## Build the wheel and the sdist into dist/
	python -m build
