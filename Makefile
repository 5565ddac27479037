# make demo | test | lint | sanitize | fuzz | arm64 | bench | bench-quick | bench-check | bench-counts | bench-em | gpu | clean.  VENV names the virtual environment, PYTHON the interpreter that makes it.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
NATIVE = $(wildcard csrc/*/*)
JOBS ?= 2

# Which benchmarks: make bench BENCH="-k median". Without it all run, and the table and charts are made anew.
BENCH ?=
# OpenBLAS chooses its kernels for this processor itself: a forced choice would slow the peers down.
BENCH_PYTEST = env -u OPENBLAS_CORETYPE -u OPENBLAS_L2_SIZE OMP_NUM_THREADS=2 $(BIN)/python -m pytest -q -p no:cacheprovider \
  $(filter-out benchmarks/bench_em.py,$(wildcard benchmarks/bench_*.py)) --benchmark-columns=min,median,rounds
PAGES = --readme benchmarks/README.md --charts benchmarks/results/charts --numbers docs/performance.md --pack benchmarks/results
EM_ENV = env -u OPENBLAS_CORETYPE -u OPENBLAS_L2_SIZE OMP_NUM_THREADS=2 SCIPY_ARRAY_API=1 \
  FASTGMM_BENCH_OUT=$(if $(FASTGMM_BENCH_SHARE)$(BENCH),build,benchmarks/results)/em.md
QUICK = -k "200x256x256 and thorax and warm"

.PHONY: demo test lint sanitize fuzz arm64 bench bench-quick bench-check bench-counts bench-em gpu clean

demo: $(VENV)/.installed
	$(BIN)/fastgmm demo

test: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -m "slow or not slow" -n $(JOBS) --dist worksteal -p no:benchmark --cov --cov-report=term:skip-covered --cov-fail-under=95

lint: $(VENV)/.installed-dev
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m mypy
	$(BIN)/clang-format --dry-run --Werror $(wildcard csrc/*/*.h csrc/*/*.cpp csrc/*/*.inl csrc/*/*.cu tests/native/*.cpp tests/fuzz/*.cpp)

# SANITIZE="address thread cuda" names the parts to run.
sanitize: $(VENV)/.installed-dev
	PYTHON=$(CURDIR)/$(BIN)/python bash .ci/sanitize $(SANITIZE)

# FASTGMM_FUZZ_SECONDS (600) of processor time for each target; FUZZ="median flood" names some.
fuzz: $(VENV)/.installed-dev
	PYTHON=$(CURDIR)/$(BIN)/python bash .ci/fuzz $(FUZZ)

# The core compiled for ARM64 by clang; nothing is run.
arm64:
	PYTHON=$(PYTHON) bash .ci/arm64

# A failed row is named and leaves the others alone; the exit status tells of it at the end.
bench: $(VENV)/.installed-bench
	mkdir -p build
	status=0; $(BENCH_PYTEST) --benchmark-storage=benchmarks/results $(if $(BENCH),,--benchmark-autosave) --benchmark-json=build/bench.json $(BENCH) \
	  || status=$$?; \
	$(BIN)/python benchmarks/summary.py build/bench.json $(if $(BENCH),,$(PAGES)) && exit $$status

bench-quick: $(VENV)/.installed-bench
	$(BENCH_PYTEST) $(if $(BENCH),$(BENCH),$(QUICK))

bench-check: $(VENV)/.installed-bench
	mkdir -p build
	$(BENCH_PYTEST) --benchmark-json=build/bench-check.json $(if $(BENCH),$(BENCH),$(QUICK))
	if command -v valgrind >/dev/null; then $(BIN)/python benchmarks/counts.py --out build/counts.json; fi
	$(BIN)/python benchmarks/check.py build/bench-check.json $$(command -v valgrind >/dev/null && echo --counts build/counts.json)

bench-counts: $(VENV)/.installed-dev
	$(BIN)/python benchmarks/counts.py

# EM beside its peers, about ten minutes. FASTGMM_BENCH_SHARE=0.02 tries it with a fiftieth of the rows.
bench-em: $(VENV)/.installed-bench
	mkdir -p build
	$(EM_ENV) $(BIN)/python -m pytest -q -p no:cacheprovider benchmarks/bench_em.py --benchmark-columns=median,rounds \
	  --benchmark-storage=benchmarks/results/em $(if $(FASTGMM_BENCH_SHARE),,--benchmark-autosave) \
	  --benchmark-json=build/bench-em.json $(BENCH)
# On a machine with a GPU, in an environment that has the extra cuda12 or cuda13, too.
gpu: $(VENV)/.installed-dev
	$(BIN)/python benchmarks/gpu.py

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

$(VENV)/.installed-bench: $(BIN)/python pyproject.toml setup.py $(NATIVE)
	$(BIN)/python -m pip install --quiet -e '.[bench]'
	touch $@ $(VENV)/.installed
