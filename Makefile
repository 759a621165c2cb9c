# The same commands for a person and for CI. `make help` lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
URL ?=
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help setup demo test faults faults-long power-cut bench bench-full check format lock sbom audit image clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## Make .venv with the locked dependencies and the samhandling command

$(STAMP): requirements.lock requirements-dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Samhandling needs Python 3.11 or newer; set PYTHON=/path/to/python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: setup ## Play one patient's stay and keep serving at 127.0.0.1:8080 (ARGS=--once plays it and stops, ARGS=--busy shows a whole month)
	$(BIN)/samhandling demo $(ARGS)

test: setup ## Run every test, PostgreSQL included (ARGS=tests/unit for a part)
	$(BIN)/python -m pytest -n auto --dist loadgroup $(ARGS)

faults: setup ## Kill, cut, fill and confuse it for some minutes, and judge what is left (FAULTS_SEED repeats a run)
	$(BIN)/python -m pytest -q -n 2 tests/faults $(ARGS)

faults-long: setup ## The same, each storm for ten minutes
	FAULTS_SECONDS=600 $(BIN)/python -m pytest -q -n 2 tests/faults $(ARGS)

power-cut: setup ## Cut the power under load (root, loop mounts, XFS), and see that nothing is lost
	cd tests && PYTHONPATH=. ../$(BIN)/python -m faults.power_cut $(ARGS)

bench: setup ## Measure the table of docs/performance.md once, in some minutes (URL=… for PostgreSQL beside SQLite)
	$(BIN)/python -m benchmarks.table sqlite $(URL) --rounds 2 --seconds 2 $(ARGS)

bench-full: setup ## The same in five rounds, written into docs/performance.md (URL=… for PostgreSQL)
	$(BIN)/python -m benchmarks.table sqlite $(URL) --rounds 5 --seconds 4 --write $(ARGS)

check: setup ## Format, lint, types, import rules, lock
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup ## Format the code and mend what the linter can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: setup ## Resolve the dependencies again and write the locks with hashes
	$(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --quiet $(ARGS) -o requirements.lock
	$(BIN)/uv pip compile pyproject.toml --group dev --constraint requirements.lock --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --quiet $(ARGS) -o requirements-dev.lock

sbom: setup ## Write dist/sbom.json: what the exchange is built from (CycloneDX)
	@mkdir -p dist
	$(BIN)/cyclonedx-py requirements requirements.lock --pyproject pyproject.toml --output-reproducible --output-format JSON --output-file dist/sbom.json

audit: setup ## Ask whether a known weakness stands in the locks (75: it could not be asked about all of them)
	$(BIN)/python .ci/audit.py

image: ## Build the container image
	docker build --tag samhandling .

clean: ## Remove the virtual environment, caches and the demo's data
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache demo-data demo-busy dist
