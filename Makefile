# `make rebuild` and `make test` need Python 3.11 or newer and nothing else.
PYTHON ?= python3
BIN := .venv/bin

# Three processes, which wait for servers a third of the time; tests that share a scene run in one of
# them (tests/groups.py).
GROUPED := -n 3 --dist loadgroup --no-loadscope-reorder
# The tests start many processes, and each would compile our sources anew.
unexport PYTHONDONTWRITEBYTECODE
# What a cutover runs through.
MOVED := ops/cutover ops/carrying ops/write_lock ops/legacy_access ops/copy ops/cleanup

.PHONY: help rebuild dashboard check test coverage soak mutants bench wheels audit lint unit style types imports clean
.DEFAULT_GOAL := help

help: ## Show this help
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

rebuild: $(BIN)/.installed ## Build everything: make rebuild [PRICES=FILE]
	@$(if $(PRICES),PRICES="$(PRICES)") $(BIN)/sigmasight rebuild

dashboard: $(BIN)/.installed ## The run history in a browser, with a button and a schedule per phase
	@$(BIN)/sigmasight dashboard

check: $(BIN)/.installed-test ## Format, lint, types and unit tests, in a minute
	@$(MAKE) --no-print-directory -j2 style types imports unit

test: $(BIN)/.installed-test lint ## Test every rule once, on two cores, in ten minutes
	@$(BIN)/python -m pytest $(GROUPED) --durations=25

coverage: $(BIN)/.installed-test ## The same tests, with branch coverage of what a cutover runs through
	@$(BIN)/python -m pytest $(GROUPED) --cov

soak: SEED := $(or $(SEED),$(shell date +%s))
soak: $(BIN)/.installed-test ## Run every case that make test leaves out, for two hours at most: [SEED=1]
	@echo "the same again: make soak SEED=$(SEED)"
	@$(BIN)/python -m pytest $(GROUPED) -m "soak or hypothesis" \
		--hypothesis-profile=soak --hypothesis-seed=$(SEED) --session-timeout=7200

lint: $(BIN)/.installed-test ## Format, lint, types and the direction of imports
	@$(MAKE) --no-print-directory -j2 style types imports

unit: $(BIN)/.installed-test
	@$(BIN)/python -m pytest -q tests/unit

style: $(BIN)/.installed-test
	@$(BIN)/ruff format --check --quiet . && $(BIN)/ruff check --quiet .

types: $(BIN)/.installed-test
	@$(BIN)/mypy

imports: $(BIN)/.installed-test
	@$(BIN)/lint-imports --no-cache > /dev/null || $(BIN)/lint-imports --no-cache

mutants: $(BIN)/.installed-test ## Do the tests notice a fault? make mutants [SEED=1] [N=60]
	@$(BIN)/python tools/mutants.py $(if $(SEED),--seed $(SEED)) --count $(or $(N),60) $(MOVED)

bench: $(BIN)/.installed-test ## Measure against the peers, ratios in one run
	@$(BIN)/python -m benchmarks

wheels: $(BIN)/.installed-test ## Is there a wheel of every pin, for each Python and machine?
	@tools/check_wheels.sh

audit: $(BIN)/.installed-test ## Known vulnerabilities of the pins; asks services on the internet
	@$(BIN)/uvx pip-audit --strict --disable-pip --require-hashes -r requirements.txt -r requirements-backend.txt

clean: ## Stop what runs here and remove the environment (data stays in .sigmasight)
	@test ! -x $(BIN)/sigmasight || $(BIN)/sigmasight down
	@rm -rf .venv

$(BIN)/.installed: requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; set PYTHON=...")'
	@echo "installing packages and sigmasight itself into .venv"
	@tools/install_packages.sh "$(PYTHON)" requirements.txt
	@touch $@

$(BIN)/.installed-test: requirements-test.txt $(BIN)/.installed
	@tools/install_packages.sh "$(PYTHON)" requirements-test.txt
	@touch $@
