# make run: the app · make test: the tests, with ARGS=--full the slow ones too · make check: linter and types
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
ARGS ?=

# Another build of torch than the usual one: the address of its wheels. It is remembered for later installations.
TORCH_KEPT := $(shell cat $(VENV)/.torch-index 2>/dev/null)
TORCH_INDEX ?= $(TORCH_KEPT)

.PHONY: run test check fix lock clean other-torch

run: $(VENV)/.run-ready
	$(BIN)/python app.py $(ARGS)

test: $(VENV)/.test-ready
	@tests/browser/chromium.sh $(BIN)/python
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder --durations=15 $(ARGS)

check: $(VENV)/.test-ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

fix: $(VENV)/.test-ready
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Stamps: the second `make run` installs nothing and starts at once, unless another build of torch is asked for. That
# one comes alone (--no-deps): its index need not have the versions of everything else that requirements.lock pins.
$(VENV)/.run-ready: pyproject.toml requirements.lock $(if $(filter-out $(TORCH_KEPT),$(TORCH_INDEX)),other-torch)
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
ifneq ($(TORCH_INDEX),)
	$(PIP) install --quiet -c requirements.lock --no-deps $(if $(filter other-torch,$^),--force-reinstall) --index-url "$(TORCH_INDEX)" torch
	echo "$(TORCH_INDEX)" > $(VENV)/.torch-index
endif
	$(PIP) install --quiet -c requirements.lock -e .
	touch $@

$(VENV)/.test-ready: $(VENV)/.run-ready
	$(PIP) install --quiet -c requirements.lock -e ".[test]"
	touch $@

lock: $(VENV)/.test-ready
	$(BIN)/python -m pip freeze --exclude-editable | sed 's/+cpu$$//' > requirements.lock

clean:
	rm -rf $(VENV) build *.egg-info
