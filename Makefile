# Everything below works on a fresh machine with Python 3.11 or newer; `make real` also wants Go.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CONFIG ?= sample-config.toml
SCENARIO ?= slow-analysis
SPEED ?= 10

.PHONY: help install drill console test test-real real check format lint types imports bench pictures lock clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

install: $(VENV)/installed ## the console and its tools, in .venv

$(VENV)/installed: pyproject.toml requirements/run.txt requirements/drill.txt requirements/dev.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements/run.txt -r requirements/drill.txt -r requirements/dev.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --config-settings editable_mode=compat --editable .
	touch $@

drill: install ## the main job on this machine: a drill with its own cluster, metrics, database (SCENARIO, SPEED)
	$(BIN)/rollback-console drill --scenario $(SCENARIO) --speed $(SPEED)

console: install ## the console with CONFIG (default sample-config.toml), against the cluster that it names
	$(BIN)/rollback-console -c $(CONFIG)

test: install ## every test that needs no real server
	$(BIN)/pytest -m "not real" -n 2

real: ## builds the real servers of the tests into a user cache (about 15 minutes, once)
	tests/real/tools/build

test-real: install real ## the tests on the real servers
	ROLLBACK_CONSOLE_REQUIRE_REAL=1 $(BIN)/pytest -m real

check: format lint types imports test ## what CI runs, but for the real servers

format: install
	$(BIN)/ruff format --check console tests bench

lint: install
	$(BIN)/ruff check console tests bench

types: install
	$(BIN)/mypy

imports: install
	$(BIN)/lint-imports

bench: install real ## prints timings as ratios
	$(BIN)/python -m bench

pictures: install ## renews the pictures of the README, from a drill as it runs
	$(BIN)/python -m tests.pictures

lock: install ## renews requirements/*.txt from pyproject.toml
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" --output-file requirements/run.txt pyproject.toml
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" --constraint requirements/run.txt --extra drill --output-file requirements/drill.txt pyproject.toml
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" --constraint requirements/run.txt --constraint requirements/drill.txt --group dev --output-file requirements/dev.txt

clean: ## removes what make made here
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
