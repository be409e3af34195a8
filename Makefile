# The project's commands. `make` alone lists them; each one brings what it needs.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
# What follows in ARGS goes to the program: make demo ARGS=--once, make test ARGS='-k gate'
ARGS ?=

UV_VERSION := 0.13.8
UV ?= $(or $(shell command -v uv),.venv-tools/bin/uv)
# The machine's own Python, never a downloaded one.
export UV_PYTHON := $(PYTHON)
export UV_PYTHON_DOWNLOADS := never
unexport VIRTUAL_ENV
# Where it is set, each test process and each router that a test starts would compile every library anew.
unexport PYTHONDONTWRITEBYTECODE

BIN := .venv/bin
# Tests wait more than they compute, so more processes than cores. A file stays in one process, with what it starts, and
# so do the files that tests/conftest.py names together.
WORKERS ?= 4
PYTEST = $(BIN)/pytest --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder
SCRIPTS := $(wildcard scripts/*.sh scripts/bench/*.sh) .ci/run

.PHONY: help
help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: install
install: .venv/.installed-dev  ## make .venv with the command llm-router and all development tools
	@echo "ready: $(BIN)/llm-router"

.PHONY: demo
demo: .venv/.installed $(if $(findstring llama-cpp-python,$(ARGS)),.venv/.installed-local)  ## run the router on local llama.cpp clusters (ARGS=--once to end after the show)
	@$(BIN)/llm-router demo $(ARGS)

.PHONY: test
test: .venv/.installed-dev tools  ## run the whole default suite; builds once what it needs, installs Debian packages where possible
	@scripts/debian-packages.sh test
	$(PYTEST) -m 'not nightly' $(ARGS)

.PHONY: test-full
test-full: .venv/.installed-dev tools  ## run everything, the nightly tests too
	@scripts/debian-packages.sh test
	$(PYTEST) $(ARGS)

.PHONY: test-fast
test-fast: .venv/.installed-dev  ## run the tests that are quick and need nothing built: the inner loop
	$(PYTEST) -m 'not slow and not e2e and not built and not nightly' $(ARGS)

# These compute rather than wait, and each process imports the SDKs of three clouds.
infra-test: WORKERS := 2
.PHONY: infra-test
infra-test: .venv/.installed-dev tools  ## run the infrastructure's tests, those on the real Pulumi engine too
	@scripts/debian-packages.sh test
	$(PYTEST) tests/gitops/test_one_up.py tests/infra tests/contract tests/scripts/test_teardown.py $(ARGS)

.PHONY: gitops-test
gitops-test: .venv/.installed-dev tools  ## deploy the charts for three clouds on a real control plane, with a real Argo CD
	@scripts/debian-packages.sh test
	$(PYTEST) tests/gitops $(ARGS)

.PHONY: check
check: .venv/.installed-dev docs  ## lint, types, import rules, shell scripts, generated files, docs
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	@# B104 is ruff's S104, which is judged line by line.
	$(BIN)/bandit --quiet --severity-level medium --skip B104 --recursive router/llm_router infra models scripts
	$(BIN)/shellcheck $(SCRIPTS)
	$(BIN)/llm-router schema | diff - router/router.schema.json || { echo "run: make schema"; exit 1; }
	$(BIN)/llm-router schema --openapi | diff - router/openapi.json || { echo "run: make schema"; exit 1; }
	$(BIN)/python scripts/sbom.py $(UV) | diff - router/sbom.cdx.json || { echo "run: make schema"; exit 1; }

.PHONY: format
format: .venv/.installed-dev  ## put the code into the form that check demands
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

.PHONY: schema
schema: .venv/.installed-dev  ## write anew what is generated: router/router.schema.json, router/openapi.json, the wheel's SBOM, the charts' copy of the catalogue
	$(BIN)/llm-router schema > router/router.schema.json.new
	mv router/router.schema.json.new router/router.schema.json
	$(BIN)/llm-router schema --openapi > router/openapi.json.new
	mv router/openapi.json.new router/openapi.json
	$(BIN)/python scripts/sbom.py $(UV) > router/sbom.cdx.json.new
	mv router/sbom.cdx.json.new router/sbom.cdx.json
	cp models/catalog.yaml charts/llm-server/files/catalog.yaml

.PHONY: docs
docs: .venv/.installed-dev  ## check that links, commands, options and files named in the documents exist
	$(BIN)/python scripts/check_docs.py

.PHONY: audit
audit: .venv/.installed-dev  ## ask OSV for known vulnerabilities of what uv.lock names; fails where that cannot be told
	$(BIN)/python scripts/audit.py $(ARGS)

.PHONY: bench
bench: .venv/.installed-dev  ## measure CPU time per request beside nginx and a plain Python proxy
	@scripts/debian-packages.sh bench
	$(BIN)/python scripts/bench/run.py $(ARGS)

.PHONY: mutants
mutants: .venv/.installed-dev  ## measure how many small mistakes the tests notice (some minutes of CPU time)
	$(BIN)/python scripts/mutants/run.py $(ARGS)

.PHONY: tools
tools: $(filter .venv-tools/%,$(UV))  ## build the heavy components that some tests need, into the user's cache
	@PATH="$(abspath .venv-tools/bin):$$PATH" nice -n 10 scripts/tools.sh

.PHONY: setup
setup:  ## say what this workstation lacks and how to get it
	@scripts/setup.sh

.PHONY: clean
clean:  ## remove what was installed or built inside the checkout
	rm -rf .venv .venv-tools .mypy_cache .ruff_cache .pytest_cache .import_linter_cache dist
	find router infra models tests scripts -name __pycache__ -type d -prune -exec rm -rf {} +

.venv-tools/bin/uv:
	@scripts/get-uv.sh "$(PYTHON)" .venv-tools $(UV_VERSION)

# Inexact: the demo's smaller set of packages takes nothing away from a development environment.
.venv/.installed: pyproject.toml uv.lock | $(filter .venv-tools/%,$(UV))
	@echo "installing the router and llama.cpp into .venv"
	@$(UV) sync --frozen --inexact --no-dev --extra demo
	@touch $@

.venv/.installed-local: .venv/.installed
	@echo "compiling llama-cpp-python, which takes minutes"
	@$(UV) sync --frozen --inexact --no-dev --extra demo --extra local
	@touch $@

.venv/.installed-dev: pyproject.toml uv.lock | $(filter .venv-tools/%,$(UV))
	@echo "installing the router, llama.cpp and the development tools into .venv"
	@$(UV) sync --frozen --inexact --extra demo --extra simulate
	@touch .venv/.installed $@
