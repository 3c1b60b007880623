# `make demo` on a bare machine, then `make test`. PYTHON=... takes another Python (3.11 or later), NAME=... a benchmark,
# SEEDS=... FROM=... histories of the simulator.

PYTHON ?= python3
NAME ?= all
SEEDS ?= 2000
FROM ?= 1
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
CORES := $(foreach kind,pyx pxd pxi,$(wildcard */*.$(kind) */*/*.$(kind)))

.PHONY: help install demo dev test sim faults lint bench clean
.DEFAULT_GOAL := help

help:  ## this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

install: $(INSTALLED)  ## install into .venv; does nothing unless pyproject.toml or a compiled core changed

demo: $(INSTALLED)  ## see it work: sends events, shows triggers
	$(BIN)/kairos demo

dev: $(INSTALLED)  ## run all of Kairos here until Ctrl-C
	$(BIN)/kairos dev

test: $(INSTALLED)  ## run the tests; what this machine has not got is named at the end
	$(BIN)/python -m pytest

sim: $(INSTALLED)  ## histories full of faults, in virtual time: make sim SEEDS=2000 FROM=1
	$(BIN)/python -m tests.faults.sim --seeds $(SEEDS) --from $(FROM)

lint: $(INSTALLED)  ## ruff, mypy, import-linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(INSTALLED)  ## measure: make bench NAME=...
	$(BIN)/kairos bench $(NAME)

faults: $(INSTALLED)  ## break it on purpose: make faults [RUNS=200] [SEED=1] [SCENARIO=kill,zombie] [REPORT=FILE]
	$(BIN)/python -m tests.faults.harness --runs $(or $(RUNS),200) --seed $(or $(SEED),1) --scenario "$(SCENARIO)" $(if $(REPORT),--report $(REPORT))

clean:  ## remove what make and the tools made here
	rm -rf $(VENV) dist .kairos .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find schemas processors streams -name '*.so' -delete
	find . -name __pycache__ -prune -exec rm -rf {} +

# pip learned dependency groups in 25.1, and Debian's is older.
# The compiled cores are made by the install as well.
$(INSTALLED): pyproject.toml hatch_build.py $(CORES)
	@if command -v uv >/dev/null; then \
	  uv venv --quiet --allow-existing --python $(PYTHON) $(VENV) && \
	  uv pip install --quiet --python $(BIN)/python --editable '.[embedded]' --group dev; \
	else \
	  $(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	    { echo "make install: $(PYTHON) has no venv; on Debian: apt-get install python3-venv, or install uv" >&2; exit 1; }; \
	  $(PYTHON) -m venv $(VENV) && \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check 'pip>=25.1' && \
	  $(BIN)/python -m pip install --quiet --editable '.[embedded]' --group dev; \
	fi
	@touch $@
