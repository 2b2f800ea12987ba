# `make rebuild` and `make test` need Python 3.11 or newer and nothing else.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: help rebuild dashboard test bench lint clean
.DEFAULT_GOAL := help

help: ## Show this help
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

rebuild: $(BIN)/.installed ## Build everything: make rebuild [PRICES=FILE]
	@$(if $(PRICES),PRICES="$(PRICES)") $(BIN)/sigmasight rebuild

dashboard: $(BIN)/.installed ## The run history in a browser, with a button and a schedule per phase
	@$(BIN)/sigmasight dashboard

test: $(BIN)/.installed-test lint ## Run every test
	@$(BIN)/python -m pytest

lint: $(BIN)/.installed-test ## Format, lint, types and the direction of imports
	@$(BIN)/ruff format --check --quiet . && $(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache > /dev/null || $(BIN)/lint-imports --no-cache

bench: $(BIN)/.installed-test ## Measure against the peers, ratios in one run
	@$(BIN)/python -m benchmarks

clean: ## Stop what runs here and remove the environment (data stays in .sigmasight)
	@test ! -x $(BIN)/sigmasight || $(BIN)/sigmasight down
	@rm -rf .venv

$(BIN)/.installed: requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; set PYTHON=...")'
	@echo "installing packages into .venv"
	@$(PYTHON) -m venv .venv
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@

$(BIN)/.installed-test: requirements-test.txt $(BIN)/.installed
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-test.txt
	@touch $@
