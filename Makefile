# make demo: a table of real federated training; make check: lint, types and the unit tests, while one works;
# make pipelines: whole pipelines, too; make test: everything that is tested; make bench: how fast it is.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
WORKERS ?= auto
PYTEST = $(BIN)/python -m pytest -n $(WORKERS) $(PYTEST_ARGS)  # side by side, see tests/conftest.py

# Thousands of interpreters start here: what the first compiles, the others load.
unexport PYTHONDONTWRITEBYTECODE

# What interpreters of FederatedScope and of training code import: Python 3.8.
WORKER = fscost/worker fscost/record fscost/store fscost/metering fscost/__init__.py fscost/errors.py fscost/files.py \
         fscost/printable.py fscost/cells/__init__.py fscost/cells/cell.py fscost/cells/engine_kinds.py \
         fscost/cells/measure.py fscost/cells/names.py fscost/cells/outcome.py fscost/cells/provenance_options.py \
         fscost/protocol/__init__.py fscost/protocol/client_options.py fscost/protocol/datasets.py \
         fscost/protocol/effective_options.py fscost/protocol/fs_options.py \
         fscost/protocol/methods.py fscost/protocol/no_effect.py fscost/protocol/release.py \
         fscost/protocol/models.py fscost/protocol/splits.py

# The next Hydra and OmegaConf, beside those of constraints.txt.
HYDRA14 = hydra-core==1.4.0rc3 omegaconf==2.4.1rc1

.PHONY: demo check pipelines test test-hydra14 lint bench pictures clean

demo: $(VENV)/installed
	$(BIN)/python -m fscost -m method=fedavg,fedprox clients=3,10

check: lint
	$(PYTEST) -m 'not pipeline and not slow'

pipelines: $(VENV)/installed
	$(PYTEST) -m 'not slow'

test: $(VENV)/installed
	$(PYTEST)

test-hydra14: $(VENV)/hydra14/installed  # what touches Hydra, with the next one
	$(VENV)/hydra14/bin/python -m pytest -n $(WORKERS) -m 'not slow' tests/plan tests/commands/test_c*.py

lint: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/vermin --quiet --target=3.8- --no-tips --violations $(WORKER)

$(VENV)/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("fscost needs Python 3.11 or newer; name one with make PYTHON=…" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile -c constraints.txt -e '.[dev]'
	touch $@

$(VENV)/hydra14/installed: $(VENV)/installed  # all else is taken from the first environment
	$(BIN)/python -m venv $(VENV)/hydra14
	echo "import site; site.addsitedir('$$(echo $(abspath $(VENV))/lib/python3*/site-packages)')" \
	  >$$(echo $(VENV)/hydra14/lib/python3*/site-packages)/first_environment.pth
	$(VENV)/hydra14/bin/python -m pip install --quiet --disable-pip-version-check --no-compile --ignore-installed --no-deps $(HYDRA14) || \
	  { echo "test-hydra14: the package index has no $(HYDRA14): nothing was tested with them"; exit 1; }
	touch $@

bench: $(VENV)/bench  # into benchmarks/RESULTS.md; FSCOST_FS_PYTHON names the interpreter that has FederatedScope
	$(BIN)/python -m benchmarks

$(VENV)/bench: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile -c constraints.txt -e '.[bench]'
	touch $@

pictures: $(VENV)/installed  # of the README and docs
	docs/tables/pictures.sh $(BIN)/python

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache
