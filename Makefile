# make demo | test | lint | sanitize | clean.  VENV names the virtual environment, PYTHON the interpreter that makes it.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
NATIVE = $(wildcard csrc/*/*)
JOBS ?= 2

.PHONY: demo test lint sanitize clean

demo: $(VENV)/.installed
	$(BIN)/fastgmm demo

test: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -m "slow or not slow" -n $(JOBS) --dist worksteal -p no:benchmark --cov --cov-report=term:skip-covered --cov-fail-under=95

lint: $(VENV)/.installed-dev
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m mypy
	$(BIN)/clang-format --dry-run --Werror $(wildcard csrc/*/*.h csrc/*/*.cpp csrc/*/*.inl csrc/*/*.cu tests/native/*.cpp)

sanitize: $(VENV)/.installed-dev
	PYTHON=$(CURDIR)/$(BIN)/python bash .ci/sanitize

clean:
	rm -rf build dist $(VENV) src/*.egg-info src/fastgmm/_core*.so src/fastgmm/_core*.pyd

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "fastgmm needs Python 3.11 or newer, $(PYTHON) is older: make PYTHON=python3.12 …"; exit 2; }
	$(PYTHON) -m venv $(VENV) || { echo "no virtual environment could be made: apt-get install python3-venv python3-dev"; exit 2; }
	$(BIN)/python -m pip install --quiet --upgrade pip

$(VENV)/.installed: $(BIN)/python pyproject.toml setup.py $(NATIVE)
	$(BIN)/python -m pip install --quiet -e '.[ct]'
	touch $@

$(VENV)/.installed-dev: $(BIN)/python pyproject.toml setup.py $(NATIVE)
	$(BIN)/python -m pip install --quiet -e '.[dev]'
	touch $@ $(VENV)/.installed
