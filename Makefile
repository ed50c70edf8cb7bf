# Everything a contributor needs; `make` lists it.

VENV ?= .venv
PYTHON ?=
UV ?= uv
CYCLONEDX ?= cyclonedx-py
OSV_SCANNER ?= osv-scanner
JARS ?= jars
ENGINE ?= podman
DEMO_LAKE ?= demo-lake
WORKERS ?= 2
SAMPLES := samples/streaming
AS_OF := 2026-03-10T00:00:00Z

BIN := $(VENV)/bin
LOCK_OPTIONS := --quiet --universal --python-version 3.11 --generate-hashes --annotation-style line \
	--custom-compile-command 'make lock' --no-header

export VENV PYTHON
export PORT ?= 8080

.DEFAULT_GOAL := help

.PHONY: help
help: ## List the targets
	@awk 'BEGIN {FS = ":.*## "} /^##@ / {print "\n" substr($$0, 5)} \
		/^[a-z]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' Makefile

##@ Use

.PHONY: setup
setup: $(VENV)/.runtime ## Make .venv with the `lakehunt` command (PYTHON=python3.12 chooses the Python)

.PHONY: demo
demo: $(VENV)/.runtime ## Land the sample telemetry into a new lake, run all hunts, print the findings
	@rm -rf $(DEMO_LAKE)
	$(BIN)/lakehunt run $(SAMPLES) --as-of $(AS_OF) --config samples/lakehunt.yaml --lake $(DEMO_LAKE) --show

.PHONY: airflow
airflow: $(VENV)/.dev ## Start a real Airflow with the DAGs and the samples: http://localhost:8080 (PORT=...)
	@$(BIN)/python scripts/airflow.py

.PHONY: jars
jars: $(VENV)/.runtime ## Gather Delta's jars in jars/, for machines without a network (ARGS=--s3: S3's too; docs/how-to/offline.md)
	$(BIN)/python scripts/gather_jars.py jars $(ARGS)

.PHONY: image
image: ## Build a container image with Java, Spark and Lakehunt (ENGINE=docker; ARGS='--build-arg JARS=--s3'; docs/how-to/install.md)
	$(ENGINE) build -f Containerfile -t lakehunt $(ARGS) .

##@ Develop

.PHONY: dev
dev: $(VENV)/.dev ## As setup, with what tests, linters and Airflow need

# Workers take the files that take longest first (tests/durations.json). WORKERS=0: one process, for a debugger.
.PHONY: test
test: $(VENV)/.dev ## Run all tests, by two workers (ARGS='-k kql' chooses some; WORKERS=0 for one process)
	$(BIN)/python -m pytest --numprocesses=$(WORKERS) --dist=loadfile $(ARGS)

.PHONY: campaign
campaign: $(VENV)/.dev ## Run what takes hours: clusters, browsers, months of backfills, random inputs (CONTRIBUTING.md)
	@mkdir -p build
	$(BIN)/python -m pytest -m 'campaign or hypothesis' --hypothesis-profile=campaign --durations=0 -rA --junitxml=build/campaign.xml $(ARGS)

.PHONY: durations
durations: $(VENV)/.dev ## Measure how long each test file takes, by which `make test` shares them out
	$(BIN)/python -m pytest --write-durations

.PHONY: lint
lint: $(VENV)/.dev ## Check style and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/hadolint Containerfile

.PHONY: format
format: $(VENV)/.dev ## Format the code and mend what the linter can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

.PHONY: check
check: lint test ## All that a change must pass

.PHONY: bench
bench: $(VENV)/.dev ## Compare with DuckDB on generated events (ARGS='--events 10_000_000'; benchmarks/RESULTS.md)
	$(BIN)/python -m benchmarks $(ARGS)

.PHONY: samples
samples: $(VENV)/.runtime ## Regenerate the sample telemetry
	$(BIN)/python samples/generate.py

.PHONY: docs
docs: $(VENV)/.runtime ## Regenerate the pages of docs/ that are written from the code
	$(BIN)/python -m scripts.docs.pages

.PHONY: site
site: $(VENV)/.dev ## Build the documentation site in build/site
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

.PHONY: semantics
semantics: $(VENV)/.dev ## Raise the versions of KQL functions whose results may have changed (docs/explanation/decisions/0020)
	$(BIN)/python -m scripts.semantics $(ARGS)

.PHONY: lock
lock: ## Regenerate requirements/*.lock with uv (ARGS=--upgrade takes newer versions)
	@command -v $(UV) >/dev/null || { echo 'make lock needs uv; name it with UV=/path/to/uv' >&2; exit 1; }
	$(UV) pip compile $(LOCK_OPTIONS) $(ARGS) requirements/build.in -o requirements/build.lock
	$(UV) pip compile $(LOCK_OPTIONS) $(ARGS) pyproject.toml --extra dev -o requirements/dev.lock
	$(UV) pip compile $(LOCK_OPTIONS) $(ARGS) pyproject.toml -c requirements/dev.lock -o requirements/runtime.lock

.PHONY: sbom
sbom: $(VENV)/.runtime ## List all packages and jars in build/lakehunt.cdx.json, with cyclonedx-py (after `make jars`; JARS=FOLDER)
	@command -v $(CYCLONEDX) >/dev/null || { echo 'make sbom needs cyclonedx-py (pip install cyclonedx-bom); name it with CYCLONEDX=/path/to/cyclonedx-py' >&2; exit 1; }
	@test -d '$(JARS)' || { echo 'there is no folder $(JARS): `make jars` makes it; name another with JARS=FOLDER' >&2; exit 1; }
	@mkdir -p build
	$(CYCLONEDX) requirements requirements/runtime.lock --pyproject pyproject.toml --output-reproducible -o build/lakehunt.cdx.json
	$(BIN)/python -m scripts.sbom build/lakehunt.cdx.json $(JARS)

.PHONY: audit
audit: sbom ## Look up known vulnerabilities of all packages and jars, with osv-scanner (ARGS=--offline: in its local database)
	@command -v $(OSV_SCANNER) >/dev/null || { echo 'make audit needs osv-scanner; name it with OSV_SCANNER=/path/to/osv-scanner' >&2; exit 1; }
	$(OSV_SCANNER) scan source $(ARGS) --config requirements/audit.toml -L build/gradle.lockfile \
		-L requirements.txt:requirements/build.lock -L requirements.txt:requirements/dev.lock

.PHONY: clean
clean: ## Remove the demo's lake, caches and what Spark left
	rm -rf $(DEMO_LAKE) .airflow .pytest_cache .mypy_cache .ruff_cache .hypothesis spark-warehouse metastore_db derby.log build *.egg-info
	find pipelines jobs dags samples scripts tests -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: distclean
distclean: clean ## As clean, and the virtual environment too
	rm -rf $(VENV)

# A stamp says which locks the environment was made from: a second call does nothing, a changed lock installs again.

$(VENV)/.runtime: pyproject.toml requirements/build.lock requirements/runtime.lock scripts/setup.sh
	@sh scripts/setup.sh runtime

$(VENV)/.dev: pyproject.toml requirements/build.lock requirements/dev.lock scripts/setup.sh
	@sh scripts/setup.sh dev
