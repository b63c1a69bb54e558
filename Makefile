# The verbs of this repository. `make` alone lists them.
#
# Everything is built inside the tree: .venv (Python and the extension) and target (Rust). A stamp in .venv says
# what is up to date, so a second `make run` builds nothing.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

PYTHON ?= python3
PEERS ?= ../shared/peers
PY := .venv/bin/python
# Only what `make run` was given: empty means 1 GiB made on the spot.
FILE ?=
ARGS ?=
SECONDS ?= 60

export VIRTUAL_ENV := $(CURDIR)/.venv
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_QUIET := 1
unexport PYTHONPATH
unexport PYTHONHOME

RUST_SOURCES := $(shell find rust -name '*.rs' -not -path 'rust/fuzz/*') $(wildcard rust/*/Cargo.toml) Cargo.toml Cargo.lock

# Two `make` at once take turns here: pip and maturin replace files that the other might be reading.
TAKE_TURNS := $(if $(shell command -v flock),flock .venv/lock)

.PHONY: help run test lint format wheel interop bench clean fuzz bench-gate venv ready _tools _ready

help: ## this list
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' Makefile | expand -t 18

run: ready ## send a file (FILE=…, or 1 GiB made on the spot) between two processes and verify it
	@$(PY) examples/send_a_file.py $(if $(FILE),"$(FILE)") $(ARGS)

test: ready ## everything that must hold (ARGS=… goes to pytest)
	@$(PY) tests/stages.py -- $(ARGS)

lint: ready ## only the checks that run nothing: format, lints, types, stub, floors
	@$(PY) tests/stages.py --lint

format: ready ## let rustfmt and ruff write
	@cargo fmt --all
	@$(PY) -m ruff check --quiet --fix-only .
	@$(PY) -m ruff format --quiet .

wheel: ready ## dist/plait-….whl, for every Python from 3.11 on
	@$(PY) -m maturin build --release --locked --quiet --out dist
	@ls dist/*.whl

interop: ready ## with go, rust, js and py peers over every stack (PEERS=DIR, ARGS=--help)
	@$(PY) tests/interop/run.py --peers "$(PEERS)" $(ARGS)

bench: ready ## benchmarks of the core and of the binding: nothing else should run
	@$(PY) benches/import_time.py
	@cargo bench --quiet --locked -p plait-core
	@$(PY) -m pytest benches $(ARGS)

venv: ready ## .venv with the tools and the release extension

clean: ## forget what was built
	@rm -rf .venv target rust/fuzz/target dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .benchmarks .import_linter_cache
	@rm -f python/plait/_core/_rust*.so
	@find python tests examples benches -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

fuzz: _tools ## each fuzz target for SECONDS=60 (ARGS=… names some of them)
	@$(PYTHON) rust/fuzz/run.py --seconds "$(SECONDS)" $(ARGS)

bench-gate: _tools ## instructions of the core against benches/counts/baseline.json (needs valgrind)
	@$(PYTHON) benches/counts/count.py --check $(ARGS)

ready: _tools
	@mkdir -p .venv
	@$(TAKE_TURNS) $(MAKE) --no-print-directory _ready

_ready: .venv/extension.stamp ; @:

.venv/extension.stamp: .venv/tools.stamp $(RUST_SOURCES) pyproject.toml
	@echo "building the release extension (minutes the first time)"
	@$(PY) -m maturin develop --release --locked --quiet --extras cli
	@touch $@

.venv/tools.stamp: pyproject.toml
	@echo "installing the development tools into .venv"
	@$(PYTHON) -m venv .venv
	@$(PY) -m pip install 'pip>=25.1'
	@$(PY) -m pip install --group dev
	@touch $@

# One line that says what to install, before anything else fails in its own words.
_tools:
	@missing() { echo "$$1 is missing: $$2" >&2; exit 1; }; \
	command -v $(PYTHON) >/dev/null || missing "Python 3.11 or later" "apt-get install python3, or set PYTHON=…"; \
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || missing "Python 3.11 or later" "$(PYTHON) is older; set PYTHON=…"; \
	$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || missing "python3-venv" "apt-get install python3-venv"; \
	command -v cargo >/dev/null || missing "cargo" "the Rust toolchain, from https://rustup.rs"; \
	command -v cc >/dev/null || missing "cc" "a C compiler: apt-get install build-essential"; \
	command -v git >/dev/null || missing "git" "apt-get install git"
