# Everything a developer or CI runs. `make` alone lists it.
.DEFAULT_GOAL := help
SHELL := /bin/bash

# uv builds the locked environment; a machine without it gets one in .tools.
UV := $(shell command -v uv || echo .tools/bin/uv)
RUN := $(UV) run --locked

# Dagster 1.13 announces at every start that its next command line will be `dg`; we stay with the one that is documented.
QUIET := PYTHONWARNINGS=ignore::FutureWarning

# Where a machine forbids bytecode, each of the many processes below would compile all that it imports.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help
help:  ## list the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "make %-22s %s\n", $$1, $$2}'

.tools/bin/uv:
	python3 -m venv .tools
	.tools/bin/python -m pip install --quiet 'uv>=0.9,<1'

.PHONY: setup
setup: $(filter .tools/%,$(UV))  ## build the locked environment
	$(UV) sync --locked

.PHONY: demo
demo: setup  ## ten simulated days: land, train, release, score, report
	$(RUN) fraud-platform demo

.PHONY: dev
dev: setup  ## the Dagster UI on http://127.0.0.1:3000
	DAGSTER_HOME=$(CURDIR) $(QUIET) $(RUN) dagster dev

.PHONY: test
test: setup  ## the tests
	$(RUN) pytest

# Checkov depends on many libraries, some older than ours: it gets an environment of its own. It asks nobody for rules.
CHECKOV := $(UV) tool run --python 3.11 checkov==3.3.30 --quiet --compact --skip-download --framework terraform

.PHONY: audit-infrastructure
audit-infrastructure: setup  ## apply terraform/ to an AWS that moto plays, and audit it; some minutes
	@command -v terraform > /dev/null || { echo "audit-infrastructure needs terraform 1.11 or later" >&2; exit 1; }
	$(CHECKOV) --directory terraform
	$(RUN) pytest -n 0 -m applied fraud_platform_tests/infrastructure

.PHONY: audit-faults
audit-faults: setup  ## kill, stop and freeze every part of the production stack while it works; some minutes
	$(RUN) pytest -n 0 -m 'faults or not faults' fraud_platform_tests/production/test_faults.py fraud_platform_tests/production/test_full_disk.py

.PHONY: format
format: setup  ## rewrite the sources in the house format
	$(RUN) ruff format .
	$(RUN) ruff check --fix .

.PHONY: audit-dependencies
audit-dependencies: setup  ## known vulnerabilities of the locked dependencies; needs PyPI's advisory service
	$(UV) export --quiet --locked --all-groups --no-emit-project --output-file .tools/locked.txt
	@# Strict: a package that could not be looked up is a failure, not a pass.
	$(UV) tool run 'pip-audit>=2.10,<3' --strict --disable-pip --requirement .tools/locked.txt

.PHONY: scan-secrets
scan-secrets: setup  ## secrets among the committed files; also part of the tests
	$(RUN) pytest -n 0 fraud_platform_tests/test_secrets.py

.PHONY: dashboards
dashboards: setup  ## make deploy/grafana/dashboards from the code beside it
	$(RUN) python deploy/grafana/make_dashboards.py

.PHONY: secrets-baseline
secrets-baseline: setup  ## accept what the secret scan finds now: look at the difference before you commit it
	$(RUN) detect-secrets scan --no-verify --exclude-files '^(uv\.lock|\.secrets\.baseline|notebooks/__marimo__/.*)$$' > .secrets.baseline

.PHONY: check
check: setup  ## format check, lint, types, definitions, tests: what CI runs
	$(RUN) ruff format --check .
	$(RUN) ruff check .
	$(RUN) mypy
	$(QUIET) $(RUN) dagster definitions validate --log-level error
	$(RUN) pytest

# Two processes, for each runs programs of its own that want a core.
.PHONY: audit-chaos
audit-chaos: setup  ## kill, starve and deceive both chains hundreds of times; takes long
	$(RUN) pytest -n 2 --dist load -m audit fraud_platform_tests/chaos

.PHONY: audit-fuzz
audit-fuzz: setup  ## long fuzzing of files, bundles, settings and arguments; takes long
	$(RUN) pytest -n 2 --dist load --hypothesis-profile=audit fraud_platform_tests/chaos/test_fuzz_*.py

.PHONY: audit-workflows
audit-workflows: setup  ## security and schema of the GitHub workflows, offline
	$(RUN) zizmor --offline .github/workflows
	$(RUN) check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
