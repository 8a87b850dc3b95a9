# Every target sets up what it needs and is quick the second time.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
export OMP_NUM_THREADS ?= 1

.PHONY: install demo test test-fast test-lowest check clean

install: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --disable-pip-version-check torch -c constraints.txt
	$(BIN)/python -m pip install -q --disable-pip-version-check -e '.[train,formats,download,cluster,dev]' -c constraints.txt
	@touch $@

# Simulated ECGs by default: demo/report.html. `make demo DATA=DIR` runs on every set found there: demo/data/report.html.
demo: $(STAMP)
	$(BIN)/ecgprior demo $(if $(DATA),--data $(DATA) --to demo/data,--to demo)

test: $(STAMP) check
	$(BIN)/python -m pytest -n 2

test-fast: $(STAMP)
	$(BIN)/python -m pytest -n 2 -m "not slow"

# The base package (no PyTorch) on the lowest versions that pyproject.toml allows; Python 3.11 has wheels of them all.
test-lowest:
	@test -x .venv-lowest/bin/python || $(PYTHON) -m venv .venv-lowest
	.venv-lowest/bin/python -m pip install -q --disable-pip-version-check -e '.[formats,download]' pytest pytest-timeout \
	  pytest-xdist hypothesis -c constraints-lowest.txt
	.venv-lowest/bin/python -m pytest -n 2 tests/record tests/simulator tests/properties tests/corpus

# Style, types, floors: what CI runs and what the pre-commit hook runs.
check: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

clean:
	rm -rf $(VENV) .venv-lowest demo build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
