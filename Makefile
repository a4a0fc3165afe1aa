# Two commands do all the set-up on a fresh machine: `make demo` and `make test`.
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
AUDIT  := .venv-audit
BI     := .venv-bi
AIRFLOW := .venv-airflow
OUT    ?= demo
# What is installed is what the lock files say, hash by hash. They are complete, so pip resolves nothing:
# before 23.3 it would look up `name[extra]` anew and refuse the pinned `name` once there is a later release.
PIP    := $(BIN)/python -m pip --disable-pip-version-check --quiet install --require-hashes --no-deps --only-binary :all:
# Was the lock complete?
PIP_CHECK := $(BIN)/python -m pip --disable-pip-version-check check

help:  ## Show this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: requirements.lock pyproject.toml | $(BIN)/python
	$(PIP) -r requirements.lock
	$(BIN)/python -m pip --disable-pip-version-check --quiet install --no-deps --no-build-isolation -e .
	@$(PIP_CHECK) >&2
	@touch $@

$(VENV)/installed-dev: requirements-dev.lock requirements-old-pip.lock requirements-moto.lock $(VENV)/installed
	$(PIP) -r requirements-dev.lock
	@$(PIP_CHECK) >&2
	$(PIP) --upgrade --target $(VENV)/old-pip -r requirements-old-pip.lock
	$(PIP) --upgrade --target $(VENV)/moto -r requirements-moto.lock
	@touch $@

$(AUDIT)/installed: requirements-audit.lock
	$(PYTHON) -m venv $(AUDIT)
	$(PIP:$(VENV)/%=$(AUDIT)/%) -r requirements-audit.lock
	@$(PIP_CHECK:$(VENV)/%=$(AUDIT)/%) >&2
	@touch $@

# Two of its packages come as source alone: their hashes are checked too, not those of what builds them.
$(BI)/installed: requirements-bi.lock
	$(PYTHON) -m venv $(BI)
	$(PIP:$(VENV)/%=$(BI)/%) --no-binary odfpy,wtforms-json -r requirements-bi.lock
	@$(PIP_CHECK:$(VENV)/%=$(BI)/%) >&2
	@touch $@

$(AIRFLOW)/installed: requirements-airflow.lock
	$(PYTHON) -m venv $(AIRFLOW)
	$(PIP:$(VENV)/%=$(AIRFLOW)/%) -r requirements-airflow.lock
	@$(PIP_CHECK:$(VENV)/%=$(AIRFLOW)/%) >&2
	@touch $@

install: $(VENV)/installed  ## Set up the virtual environment with what a run needs
dev: $(VENV)/installed-dev  ## The same, with what development needs

wheel: $(VENV)/installed  ## Build the wheel into dist/, for an installation without this checkout
	$(BIN)/python -m hatchling build -t wheel

demo: $(VENV)/installed  ## Audit two nights of a made-up portfolio and write a report
	$(BIN)/auditor demo --out $(OUT)

test: $(VENV)/installed-dev  ## Set up and run the whole test suite
	$(BIN)/python -m pytest -q -n 2 --dist worksteal $(ARGS)

coverage: $(VENV)/installed-dev  ## The same, and say which branches no test takes; slower
	$(BIN)/python -m pytest -q -n 2 --dist worksteal --cov --cov-report=term:skip-covered $(ARGS)

quick: $(VENV)/installed-dev  ## Run the tests that need nothing, in seconds
	$(BIN)/python -m pytest -q -n 2 --dist worksteal tests/unit $(ARGS)

soak-kill: $(VENV)/installed-dev  ## Kill, stop and crowd runs, 1,400 times; takes most of an hour
	$(SOAK) kill $(ARGS)

soak-publish: $(VENV)/installed-dev  ## Fail and kill every system call of publishing; four readers
	$(SOAK) publish $(ARGS)
SOAK := $(BIN)/python -m tests.faults.soak

soak-truth: $(VENV)/installed-dev  ## Hold the store against the truth of more made-up portfolios
	SOAK=1 $(BIN)/python -m pytest -q -n 2 --dist worksteal tests/end_to_end/test_truth*.py tests/end_to_end/test_cache.py \
		tests/end_to_end/test_failed_listings.py tests/service/store/objects/test_publishing.py $(ARGS)

soak: soak-kill soak-publish soak-nights soak-replies soak-truth  ## All of them, one after the other

prove: $(VENV)/installed-dev  ## Run the tests that keep one promise of docs/promises.md: make prove ID=S3
	@tests="$$(grep '^| $(ID) |' docs/promises.md | grep -oE 'tests/[a-z_/]+\.py::[A-Za-z0-9_:]+')" \
	&& $(BIN)/python -m pytest -q $$tests

mutate: $(VENV)/installed-dev  ## Break a module (MODULE=guard) in many places: which does no test notice?
	$(BIN)/python -m tests.mutation.run $(MODULE) $(ARGS)

check: $(VENV)/installed-dev  ## Format, lint, types and the order of imports
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/installed-dev  ## Let the formatter and the linter mend what they can
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

soak-replies: $(VENV)/installed-dev  ## Send a million replies nobody would believe
	$(BIN)/python -m tests.builders.replies 1000000
	$(BIN)/python -m tests.builders.replies 10000 --sockets

soak-nights: $(VENV)/installed-dev  ## Live through 10,000 nights: ten years of one seed, and 32 others; then nights of broken listings
	$(BIN)/python -m tests.builders.nights $(ARGS)
	$(SOAK) listings

golden: $(VENV)/installed-dev  ## Write the golden files anew; review the difference like code
	REWRITE_GOLDEN=1 $(BIN)/python -m pytest -q tests -k golden

bench: $(VENV)/installed-dev  ## Measure what the README quotes
	for file in bench/*.py; do $(BIN)/python $$file || exit 1; done

audit: $(AUDIT)/installed  ## Look the locked releases up among the known vulnerabilities
	$(AUDIT)/bin/python .ci/audit.py $(AUDIT)/bin/pip-audit requirements.lock
	$(AUDIT)/bin/python .ci/audit.py $(AUDIT)/bin/pip-audit requirements-dev.lock

bi: $(BI)/installed $(VENV)/installed-dev  ## Hold the dashboard in a Superset of its own against the store
	$(BIN)/python -u -m tests.bi.proof $(ARGS)

airflow: $(AIRFLOW)/installed $(VENV)/installed-dev  ## Run the DAG in an Airflow of its own, and kill a task of it
	$(BIN)/python -u -m tests.airflow.proof $(ARGS)

container: $(VENV)/installed-dev  ## Do the Containerfile's steps on a Debian made for it; needs root and debootstrap
	$(BIN)/python -u -m tests.jobs.container_proof

azurite: $(VENV)/azurite/installed  ## Install an Azure Blob Storage server for the tests; needs npm

$(VENV)/azurite/installed: tests/azurite/package.json tests/azurite/package-lock.json | $(BIN)/python
	mkdir -p $(@D)
	cp $^ $(@D)
	cd $(@D) && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

sbom: $(AUDIT)/installed  ## Write what a run is made of to sbom.json, in CycloneDX
	$(AUDIT)/bin/cyclonedx-py requirements requirements.lock --of JSON -o sbom.json

lock: $(BIN)/python  ## Resolve the lock files anew
	$(PIP) -r requirements-uv.lock
	$(BIN)/uv pip compile --quiet pyproject.toml --group build $(LOCK) -o requirements.lock
	$(BIN)/uv pip compile --quiet pyproject.toml --group build --group dev $(LOCK) -o requirements-dev.lock
	$(BIN)/uv pip compile --quiet --group audit $(LOCK) -o requirements-audit.lock
	$(BIN)/uv pip compile --quiet --group airflow $(LOCK) -o requirements-airflow.lock
	$(BIN)/uv pip compile --quiet --group bi $(LOCK) -o requirements-bi.lock
	$(BIN)/uv pip compile --quiet --group old-pip $(LOCK) -o requirements-old-pip.lock
	$(BIN)/uv pip compile --quiet --group moto $(LOCK) -o requirements-moto.lock
	$(BIN)/uv pip compile --quiet --group uv $(LOCK) -o requirements-uv.lock
LOCK := --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-annotate --no-strip-extras --custom-compile-command "make lock"

clean:  ## Remove what the targets above made
	rm -rf $(VENV) $(AUDIT) $(BI) $(AIRFLOW) sbom.json .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage dist

.PHONY: help azurite install dev wheel demo test coverage quick prove mutate soak soak-kill soak-publish soak-nights soak-replies soak-truth check format golden bench audit bi airflow container sbom lock clean
