# `make` alone lists what can be done. Only Python 3.11 to 3.13, git and make are needed.

PYTHON ?= python3
VENV ?= .venv
DAGSTER_HOME ?= $(CURDIR)/data/dagster
TESTS ?=
SUPERSET ?=
BENCH ?=
MODEL ?= *
DATA_DIR ?= $(or $(HOGLAND_DATA_DIR),data)

PY := $(VENV)/bin/python
DBT_FOLDERS := --project-dir dbt_project --profiles-dir dbt_project --target-path target/check --log-path dbt_project/target/check
BUILD := $(abspath $(DATA_DIR))/build/marts.duckdb
ON_BUILD = HOGLAND_BUILD_DB="$(BUILD)" HOGLAND_WAREHOUSE_DB="$(abspath $(DATA_DIR))/warehouse.duckdb"
NEEDS_BUILD = @test -f "$(BUILD)" || { echo "No mart has been built in $(DATA_DIR) yet: run 'make run' first." >&2; exit 1; }
# A copy of the lock the environment was made from: the environment is current while the two are equal.
INSTALLED := $(VENV)/requirements.lock
MANIFEST := dbt_project/target/manifest.json
DBT_SOURCES := $(shell find dbt_project -type f \( -name '*.sql' -o -name '*.yml' -o -name '*.csv' -o -name '*.md' \) \
	-not -path 'dbt_project/target/*' -not -path 'dbt_project/logs/*')

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help explain listen replay run test bench bench-night bench-marts bench-publish dev superset check unit check-history format hooks lock clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

listen: $(INSTALLED) ## Take what network servers push (MQTT, webhooks) to landing, until Ctrl-C
	@$(PY) -m hogland_pipeline listen

run: $(MANIFEST) ## Run the nightly job once: sources, gate, marts, published files in data/published
	@$(PY) -m hogland_pipeline run

replay: $(MANIFEST) ## Run what is in quarantine again from landing, after a decoder or rule was mended
	@$(PY) -m hogland_pipeline replay

explain: $(MANIFEST) ## Follow a value to its source: make explain KPI=ghg_total AREA=0682 PERIOD=2024
	@$(PY) -m hogland_pipeline explain "$(KPI)" "$(AREA)" "$(PERIOD)"

test: $(MANIFEST) ## Run every test, or some of them: make test TESTS=tests/unit
	@tests/install_debian_packages
	@$(PY) -m pytest -n 2 --dist loadfile -q $(TESTS)

bench: $(MANIFEST) ## What a load costs, as a ratio to plain DuckDB in the same run (needs ../shared/bench)
	@$(PY) -m tests.bench.bench_load $(BENCH)

bench-night: $(MANIFEST) ## What a night's batch costs over ever more history (needs ../shared/bench)
	@$(PY) -m tests.bench.bench_night $(BENCH)

bench-marts: $(INSTALLED) ## What dbt costs in a night over ever more history: BENCH="--history 100000000 --models 10"
	@$(PY) -m tests.bench.bench_marts $(BENCH)

bench-publish: $(INSTALLED) ## What publishing costs, as a ratio to a bare copy: BENCH="--rows 10000000"
	@$(PY) -m tests.bench.bench_publish $(BENCH)

dev: $(MANIFEST) ## Open the Dagster UI with the project's own settings
	@mkdir -p "$(DAGSTER_HOME)" && cp dagster.yaml "$(DAGSTER_HOME)/dagster.yaml"
	@DAGSTER_HOME="$(DAGSTER_HOME)" $(PY) -m dagster dev -w workspace.yaml

check: $(MANIFEST) ## Lint, types, SQL style and the dbt project; warnings are errors
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	$(PY) -m sqlfluff lint --processes 2 dbt_project/models
	HOGLAND_BUILD_DB=marts.duckdb HOGLAND_WAREHOUSE_DB=warehouse.duckdb $(VENV)/bin/dbt --quiet parse --no-partial-parse $(DBT_FOLDERS)

superset: $(INSTALLED) ## Run Superset with our dashboards on the published file; SUPERSET=--check takes screenshots
	@HOGLAND_DATA_DIR="$(DATA_DIR)" $(PY) dashboards/superset/start.py $(SUPERSET)

unit: $(MANIFEST) ## Run dbt's unit tests of a model on the last build: make unit MODEL=int_kpi_value__climate
	$(NEEDS_BUILD)
	@$(ON_BUILD) $(VENV)/bin/dbt test --select "$(MODEL),test_type:unit" $(DBT_FOLDERS)

check-history: $(MANIFEST) ## Check all of history against the raw readings and for second rows; the night checks what it built
	$(NEEDS_BUILD)
	$(ON_BUILD) $(VENV)/bin/dbt --quiet test --select hourly_readings_add_up_to_raw daily_readings_add_up_to_raw \
		daily_snow_adds_up_to_raw stored_days_hold_what_was_built test_name:unique_combination \
		--vars '{whole_history: true}' $(DBT_FOLDERS)

format: $(INSTALLED) ## Format Python and SQL
	$(PY) -m ruff format .
	$(PY) -m ruff check --fix .
	$(PY) -m sqlfluff fix --processes 2 dbt_project/models

hooks: $(INSTALLED) ## Run the quick checks at every commit
	@$(PY) -m pre_commit install

lock: ## Resolve pyproject.toml and Superset's requirements into their locks (needs uv)
	uv pip compile dashboards/superset/requirements.in --python-version 3.11 --exclude-newer 2026-06-15T00:00:00Z \
		--generate-hashes --no-emit-index-url --no-emit-find-links --no-annotate --no-header -o dashboards/superset/requirements.lock
	uv pip compile pyproject.toml --group dev --universal --generate-hashes --no-emit-index-url \
		--no-emit-find-links --no-annotate --no-header -o requirements.lock

clean: ## Remove the environment, caches and build outputs; data stays
	rm -rf .venv dbt_project/target dbt_project/logs .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The lock names every package with its hash, so nothing is left to resolve (--no-deps); older pips cannot
# resolve extras under --require-hashes. Compiled here because imports take twice as long without.
$(INSTALLED): requirements.lock
	@command -v "$(PYTHON)" > /dev/null || { echo "$(PYTHON) was not found: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; v = sys.version_info; (3, 11) <= v < (3, 14) or sys.exit( \
		f"Python 3.11, 3.12 or 3.13 is needed and $(PYTHON) is {v[0]}.{v[1]}: make PYTHON=/path/to/python3.11")'
	@cmp -s requirements.lock $@ || { \
		echo "Making the virtual environment in $(VENV): one to three minutes, once" && \
		"$(PYTHON)" -m venv "$(VENV)" && \
		$(PY) -m pip install --quiet --disable-pip-version-check --no-compile --no-deps --require-hashes -r requirements.lock && \
		$(PY) -m pip --disable-pip-version-check check && \
		env -u PYTHONDONTWRITEBYTECODE $(PY) -m compileall -qq -j 0 "$(VENV)"/lib/python*/site-packages; }
	@cp requirements.lock $@

# Loading the code location takes 3 s with a prepared manifest and 7 to 22 s without.
$(MANIFEST): $(INSTALLED) $(DBT_SOURCES)
	@$(PY) -m hogland_pipeline prepare
	@touch $@
