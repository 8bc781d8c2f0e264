# Every target makes its own environment on first use; `make VENV=/path` puts it elsewhere.
VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

CORE := $(VENV)/.initium-core
DEV := $(VENV)/.initium-dev
DOCS := $(VENV)/.initium-docs
RAY := $(VENV)/.initium-ray

.PHONY: help quickstart test test-slow test-ray lint format bench smoke mutants docs zoo wheel clean

help:
	@echo "make quickstart  a dead 20-layer net, its diagnosis and its cure, in two minutes"
	@echo "make test        all fast tests (two processes)"
	@echo "make test-slow   the long statistical tests"
	@echo "make test-ray    the Ray engine on clusters of loopback addresses (installs ray)"
	@echo "make lint        ruff, mypy --strict, import-linter"
	@echo "make bench       speed against torch.nn.init"
	@echo "make smoke       every benchmark on tiny inputs, under two minutes"
	@echo "make mutants     three hundred lines broken one at a time: do the tests notice? half an hour"
	@echo "make docs        the manual, in docs/_build/html"
	@echo "make zoo         every architecture of timm and torchvision"

quickstart: $(CORE)
	$(BIN)/initium quickstart

test: $(DEV)
	$(BIN)/python -m pytest -n 2

test-slow: $(DEV)
	$(BIN)/python -m pytest -n 2 -m slow --timeout 900

test-ray: $(RAY)
	$(BIN)/python -m pytest -o addopts= --import-mode=importlib tests/engines/ray/test_ray_engine.py --timeout 900 --durations=0

lint: $(DEV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(DEV)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(DEV)
	$(BIN)/python -m benchmarks.fill
	$(BIN)/python -m benchmarks.diagnose

smoke: $(DEV)
	$(BIN)/python -m benchmarks --smoke

mutants: $(DEV)
	$(BIN)/python -m tests.mutants

docs: $(DOCS)
	$(BIN)/sphinx-build -n -W -q -b html docs docs/_build/html
	@echo "open docs/_build/html/index.html"

zoo: $(DEV)
	$(BIN)/python -m benchmarks.zoo

wheel: $(CORE)
	rm -rf dist
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist .

clean:
	rm -rf dist docs/_build .pytest_cache .mypy_cache .ruff_cache .import_linter_cache

# What an editable install depends on: the C kernel is compiled when it is made.
SOURCES := pyproject.toml hatch_build.py src/initium/random/kernel.c

# The development install holds the core one, so it satisfies both stamps.
$(CORE): $(SOURCES)
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

$(DEV): $(SOURCES)
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $(CORE) $@

$(RAY): $(SOURCES)
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable '.[dev,ray]'
	touch $(CORE) $(DEV) $@

$(DOCS): $(SOURCES)
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable '.[docs]'
	touch $(CORE) $@
