# Each target is enough by itself from a fresh clone: it takes Python 3.11 or newer, pip and make.
PYTHON ?= python3
VENV ?= .venv
WORKERS ?= 2

BIN := $(VENV)/bin
QUIET_PIP := -m pip --quiet --disable-pip-version-check
PIP := $(BIN)/python $(QUIET_PIP)
PEERS_VENV := $(VENV)/peers
LAYERS := tests/test_layers.py tests/test_house.py tests/test_packaging.py

# With a card, and perhaps without a network. WHEELS=folder holds what is missing in PYTHON's own
# packages, and comes from `make wheels` on another machine, for Python 3.12 there by FOR=3.12.
CARD_VENV := $(VENV)/card
WHEELS ?= build/wheels
FOR ?= $(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])')
DEVICE ?= cuda
PLATFORMS := $(foreach libc,2_28 2_27 2_24 2_17,manylinux_$(libc)_x86_64) manylinux2014_x86_64

# Many tests start processes, of which each would compile all modules where Python is to keep nothing.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test test-all test-gpu bench bench-gpu wheels profile-compile filecheck check docs \
	format lock clean

demo: $(VENV)/ready
	$(BIN)/python examples/digits.py

test: $(VENV)/ready
	$(BIN)/pytest -q -n $(WORKERS) -m "not slow"
	$(BIN)/lit -q -j $(WORKERS) filecheck

test-all: $(VENV)/ready
	STEPWELL_HYPOTHESIS=all $(BIN)/pytest -q -n $(WORKERS)
	$(BIN)/lit -q -j $(WORKERS) filecheck

# What can run on a card alone, on the card: the status is 1 and one sentence says so without one.
test-gpu: WORKERS := 8
test-gpu: $(CARD_VENV)/ready
	$(CARD_VENV)/bin/python -m pytest -q -n $(WORKERS) --device $(DEVICE) \
		tests/gpu tests/runtime tests/frontend tests/test_examples.py

bench-gpu: $(CARD_VENV)/ready
	$(CARD_VENV)/bin/python -m benchmarks.gpu --device $(DEVICE) $(OPTIONS)

wheels:
	$(PYTHON) $(QUIET_PIP) download --no-deps --only-binary=:all: --dest $(WHEELS) \
		--python-version $(FOR) --implementation cp $(PLATFORMS:%=--platform %) \
		-r requirements/card.txt

filecheck: $(VENV)/ready
	$(BIN)/lit -v -j $(WORKERS) filecheck

# PEERS=1 compares with all peers, not with NumPy alone; OPTIONS="--only softmax --threads 1" chooses.
bench: $(if $(PEERS),$(PEERS_VENV),$(VENV))/ready
	$(if $(PEERS),$(PEERS_VENV),$(VENV))/bin/python -m benchmarks.run $(OPTIONS)

# Where the time of compiling goes, by stage and pass, without the cache and with it.
profile-compile: $(VENV)/ready
	$(BIN)/python -m benchmarks.profile_compile

check: $(VENV)/checks
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	rm -rf build
	$(PIP) install --no-deps --no-build-isolation --target build/view .
	$(BIN)/basedpyright --pythonpath $(BIN)/python
	$(BIN)/pytest -q $(LAYERS)

# Run the pages and write the outputs and dumps of today into them.
docs: $(VENV)/ready
	PYTHONPATH=tests/gpu $(BIN)/python tests/lib/pages.py $(wildcard *.md docs/*.md docs/decisions/*.md)

format: $(VENV)/checks
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# The environment is there when its stamp is newer than what it was made from.
$(VENV)/ready: pyproject.toml requirements/test.txt requirements/gpu.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Stepwell needs Python 3.11 or newer: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(PIP) install -r requirements/test.txt
	$(PIP) install --no-deps -r requirements/gpu.txt
	$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

# The peers have an environment of their own: PyTorch wants an older mpmath than the tests.
$(PEERS_VENV)/ready: pyproject.toml requirements/bench.txt
	$(PYTHON) -m venv $(PEERS_VENV)
	$(PEERS_VENV)/bin/python $(QUIET_PIP) install -r requirements/bench.txt
	$(PEERS_VENV)/bin/python $(QUIET_PIP) install --no-deps --no-build-isolation -e .
	@touch $@

# PYTHON may be an environment's, whose packages an environment made from it does not see: they are
# added, with what they do when Python starts. The setuptools of a new one may hide theirs.
PLACE := import sysconfig; print(sysconfig.get_path("purelib"))
$(CARD_VENV)/ready: pyproject.toml requirements/card.txt $(wildcard $(WHEELS)/*.whl)
	$(PYTHON) -m venv --system-site-packages $(CARD_VENV)
	echo "import site; site.addsitedir('$$($(PYTHON) -c '$(PLACE)')')" \
		> "$$($(CARD_VENV)/bin/python -c '$(PLACE)')/around.pth"
	$(CARD_VENV)/bin/python $(QUIET_PIP) uninstall --yes setuptools
	$(if $(wildcard $(WHEELS)/*.whl),$(CARD_VENV)/bin/python $(QUIET_PIP) install --no-index --no-deps $(WHEELS)/*.whl)
	@$(CARD_VENV)/bin/python tests/lib/card_packages.py $(DEVICE)
	$(CARD_VENV)/bin/python $(QUIET_PIP) install --no-index --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/checks: $(VENV)/ready requirements/check.txt
	$(PIP) install -r requirements/check.txt
	@touch $@

# Resolve the extras of pyproject.toml anew, in an environment that has seen nothing else.
FREEZE := build/lock/bin/python -m pip freeze --all --exclude pip --exclude stepwell

lock:
	rm -rf build/lock
	$(PYTHON) -m venv build/lock
	build/lock/bin/python -m pip install --quiet ".[test]"
	echo '# What the tests and the demo run with; written by `make lock`.' > requirements/test.txt
	$(FREEZE) >> requirements/test.txt
	build/lock/bin/python -m pip install --quiet ".[check]"
	echo '# What `make check` needs besides; written by `make lock`.' > requirements/check.txt
	$(FREEZE) | grep -v -x -F -f requirements/test.txt >> requirements/check.txt
	build/lock/bin/python -m pip install --quiet ".[gpu-check]"
	echo "# NVIDIA's assembler, installed without what it asks for; written by \`make lock\`." > requirements/gpu.txt
	$(FREEZE) | sed -n 's/^nvidia-cuda-nvcc==.*/&; platform_system == "Linux"/p' >> requirements/gpu.txt
	rm -rf build/lock
	$(PYTHON) -m venv build/lock
	build/lock/bin/python -m pip install --quiet ".[cuda]"
	echo '# What a card needs besides its driver; written by `make lock`.' > requirements/cuda.txt
	$(FREEZE) --exclude setuptools >> requirements/cuda.txt
	build/lock/bin/python -m pip install --quiet ".[card]"
	echo '# What `make test-gpu` and `make bench-gpu` run with; written by `make lock`.' > requirements/card.txt
	$(FREEZE) >> requirements/card.txt
	rm -rf build/lock
	$(PYTHON) -m venv build/lock
	build/lock/bin/python -m pip install --quiet ".[bench]"
	echo '# What `make bench PEERS=1` runs with; written by `make lock`.' > requirements/bench.txt
	$(FREEZE) | sed 's/+cpu$$//' >> requirements/bench.txt

clean:
	rm -rf build *.egg-info .pytest_cache .ruff_cache .hypothesis
