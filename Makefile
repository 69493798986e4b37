# Tokenhouse. `make` alone lists what there is.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
PYTEST := $(BIN)/pytest

# Port of `make up`: `make up PORT=8123`, or PORT or TOKENHOUSE_PORT in the environment.
PORT ?= $(or $(TOKENHOUSE_PORT),8000)
# Interpreter that makes the environment; empty: the first that is 3.11 or newer.
PYTHON ?=
# Test processes; each has a database server of its own.
TEST_WORKERS ?= 2

# Tests that must also hold when accounts are spread over several buckets, and on the oldest PostgreSQL that we support.
BUCKETED = $(shell find tests/packages -name 'test_*.py' | grep -E 'ledger|wallets|metering|earnings' | sort)
OLD_POSTGRES = $(shell find tests/packages tests/flows -name 'test_*.py' 2>/dev/null | grep -E 'ledger|migrat|isolation' | sort)

.PHONY: help
help: ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# ---- environment -----------------------------------------------------------------------------------------------------

$(BIN)/python:
	@python=$$(for p in "$(PYTHON)" python3.11 python3 python3.12 python3.13 python3.14; do \
	  [ -n "$$p" ] && "$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$p" && break; done || true); \
	[ -n "$$python" ] || { echo "Tokenhouse needs Python 3.11 or newer: install it, or name it: make $(MAKECMDGOALS) PYTHON=/path/to/python3" >&2; exit 1; }; \
	echo "Making $(VENV) with $$("$$python" --version)"; \
	"$$python" -m venv $(VENV)

$(VENV)/.bootstrap: requirements-bootstrap.lock | $(BIN)/python
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-bootstrap.lock
	@touch $@

$(VENV)/.runtime: requirements.lock $(VENV)/.bootstrap
	@echo "Installing dependencies (requirements.lock)"
	@$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock
	@touch $@

$(BIN)/tokenhouse: pyproject.toml $(VENV)/.runtime
	@echo "Installing tokenhouse"
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: requirements-dev.lock $(BIN)/tokenhouse
	@echo "Installing what tests and checks need (requirements-dev.lock)"
	@$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r requirements-dev.lock
	@touch $@

.PHONY: install
install: $(BIN)/tokenhouse ## Make .venv with Tokenhouse in it, every dependency pinned by hash

.PHONY: dev
dev: $(VENV)/.dev ## The same with the tools for tests and checks

.PHONY: chromium
chromium:
	@command -v chromium >/dev/null || { \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    echo "Installing Debian's chromium for the page tests"; \
	    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null; \
	  else \
	    echo "The page tests need the command chromium: install it (Debian: apt-get install chromium) and run again." >&2; exit 1; \
	  fi; }

# ---- run -------------------------------------------------------------------------------------------------------------

.PHONY: up
up: install ## Start Tokenhouse with its own PostgreSQL and demo data on PORT (8000)
	@exec $(BIN)/tokenhouse up --port $(PORT)

# ---- tests and checks ------------------------------------------------------------------------------------------------

.PHONY: test
test: dev chromium ## Run all tests; then those of money with four buckets, and on PostgreSQL 16
	@echo "== all tests: PostgreSQL 18, one bucket"
	@$(PYTEST) -n $(TEST_WORKERS)
	@$(if $(BUCKETED),echo "== four buckets"; TOKENHOUSE_TEST_BUCKETS=4 $(PYTEST) -n $(TEST_WORKERS) $(BUCKETED))
	@$(if $(OLD_POSTGRES),echo "== PostgreSQL 16"; TOKENHOUSE_TEST_POSTGRES=16 $(PYTEST) -n $(TEST_WORKERS) $(OLD_POSTGRES))

.PHONY: check
check: dev ## Style, types, layers, SQL and house rules; then plant violations to see each check fail
	@echo "== ruff";     $(BIN)/ruff check --quiet . && $(BIN)/ruff format --check --quiet .
	@echo "== mypy";     $(BIN)/mypy
	@echo "== layers";   $(BIN)/lint-imports --no-logo
	@echo "== sqlfluff"; $(BIN)/sqlfluff lint --disable-progress-bar src
	@echo "== house";    $(PYTEST) -q tests/house
	@echo "== planted violations"; $(BIN)/python scripts/plant_violations.py

.PHONY: fmt
fmt: dev ## Format the Python sources and apply the safe fixes
	@$(BIN)/ruff check --fix --quiet . || true
	@$(BIN)/ruff format .

.PHONY: bench
bench: install ## Measure the service on this machine
	@$(BIN)/python -m bench
	@$(BIN)/python -m bench.analytics

.PHONY: soak
soak: dev ## Run a long mixed load with crashes and check the books
	@$(BIN)/python -m soak

.PHONY: docs
docs: $(VENV)/.bootstrap ## Build the documentation into site/
	@$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r requirements-docs.lock
	@$(BIN)/zensical build --clean

# ---- upkeep ----------------------------------------------------------------------------------------------------------

COMPILE = $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes \
  --no-emit-index-url --no-emit-find-links --no-header --annotation-style line

.PHONY: lock
lock: $(VENV)/.bootstrap ## Write the lock files anew; UPGRADE=1 takes newer versions
	@$(COMPILE) $(if $(UPGRADE),--upgrade) pyproject.toml --extra otel -o requirements.lock
	@$(COMPILE) $(if $(UPGRADE),--upgrade) pyproject.toml --extra otel --group dev -c requirements.lock -o requirements-dev.lock
	@$(COMPILE) $(if $(UPGRADE),--upgrade) --group bootstrap -c requirements-dev.lock -o requirements-bootstrap.lock
	@$(COMPILE) $(if $(UPGRADE),--upgrade) --group docs -c requirements-dev.lock -o requirements-docs.lock
	@! grep -nE '^[^#]*https?://|^ *-' requirements*.lock | grep -v -- '--hash=' || { echo "a lock file names a host" >&2; exit 1; }

.PHONY: clean
clean: ## Remove what was built; the data folder stays
	@rm -rf $(VENV) dist site .cache .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
