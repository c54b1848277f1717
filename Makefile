# Needs Python 3.11 or newer and make; everything else is installed into .venv/.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed
SEEDS ?= 2000
GRAPH_TESTS := $(addprefix tests/components/, test_graph_rules.py test_outputs.py test_previews.py test_layout_hook.py stages)
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --upgrade
# Options of make demo and make local.
PROGRAM = $(if $(STACK),--stack $(STACK)) $(if $(DIRECTORY),--directory $(DIRECTORY)) $(LIKE:%=--like %)

.DEFAULT_GOAL := help
.PHONY: help demo local test-transform quick test test-oldest test-engine simulate check lint types graph docs golden bench lock clean

help: ## This list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

demo: $(INSTALLED) ## Run a stack on the embedded AWS with sample data, and query it: STACK=dev DIRECTORY=. LIKE=table.json ITEMS=orders=scan.json
	@$(BIN)/python -m local demo $(PROGRAM) $(ITEMS:%=--items %)

local: $(INSTALLED) ## Keep a stack running on the embedded AWS until Ctrl-C: as make demo, and ENGINE=pulumi
	@$(BIN)/python -m local serve $(PROGRAM) $(if $(ENGINE),--engine $(ENGINE))

test-transform: $(INSTALLED) ## Run a transform over sample changes: TRANSFORM=transforms/orders.py CHANGES=file ARGS=--raw
	@test -n "$(TRANSFORM)" || { echo "make: TRANSFORM must be the path of a transform, or a pipeline or lake table of the dev stack, such as make test-transform TRANSFORM=transforms/orders.py" >&2; exit 2; }
	@$(BIN)/streaming-etl test-transform $(TRANSFORM) $(CHANGES) $(ARGS)

test: $(INSTALLED) ## All tests, including those on the embedded AWS
	$(BIN)/pytest --ignore tests/engine --numprocesses auto --maxprocesses 4 --dist worksteal

test-engine: $(INSTALLED) ## Tests with the real Pulumi CLI, built once with Go unless it is on the PATH
	@folder=$$($(BIN)/python -m tools.pulumi_cli); code=$$?; \
	if [ $$code -eq 3 ]; then echo "The engine tests are skipped."; exit 0; fi; \
	[ $$code -eq 0 ] && PULUMI_REQUIRED=1 PATH="$$folder:$$PATH" $(BIN)/pytest tests/engine --numprocesses auto --maxprocesses 4 --dist loadfile

test-oldest: $(INSTALLED) ## Tests of the resource graph with the oldest pulumi and pulumi-aws that pyproject.toml accepts
	@$(BIN)/uv venv --quiet --allow-existing --python $(BIN)/python .build/oldest
	@$(BIN)/uv pip sync --quiet --require-hashes --python .build/oldest/bin/python requirements-oldest.txt
	.build/oldest/bin/python -m pytest $(GRAPH_TESTS)

quick: $(INSTALLED) ## Tests of the handlers and the settings only, in seconds
	@$(BIN)/pytest tests/handlers tests/components/settings

simulate: $(INSTALLED) ## Run the handlers in SEEDS=2000 simulated worlds with faults and mutations
	@$(BIN)/python -m tests.simulation $(SEEDS)

check: lint types test ## Format, lint, types and all tests

lint: $(INSTALLED)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/python -m tools.lint
	$(BIN)/lint-imports
	$(BIN)/actionlint -shellcheck= -pyflakes= .github/workflows/*.yml

types: $(INSTALLED)
	$(BIN)/mypy

graph: $(INSTALLED) ## Print the resource graph of all stacks, or of STACK=dev
	@$(BIN)/python -m tools.graph $(STACK)

docs: $(INSTALLED) ## Write the generated parts of docs/ from the code
	@$(BIN)/python -m tools.docs

golden: docs ## Write all generated texts: docs, and messages and graphs in tests/golden/
	@$(BIN)/python -m tools.messages
	@$(BIN)/python -m tools.pipeline_graphs

bench: $(INSTALLED) ## Measure functions, current state and program, about twenty minutes; ARGS=--help for less
	@$(BIN)/python -m tools.bench $(ARGS)

lock: $(INSTALLED) ## Resolve requirements*.in into the pinned requirements*.txt
	$(COMPILE) handlers/requirements.in -o handlers/requirements.txt
	$(COMPILE) requirements.in -c handlers/requirements.txt -o requirements.txt
	$(COMPILE) requirements-dev.in -c requirements.txt -c handlers/requirements.txt -o requirements-dev.txt
	$(COMPILE) requirements-oldest.in -c handlers/requirements.txt -o requirements-oldest.txt
	$(COMPILE) policy/requirements.in -c requirements-dev.txt -o policy/requirements.txt

clean: ## Delete the virtual environment and every cache
	rm -rf .venv policy/.venv .build .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(INSTALLED): requirements-dev.txt pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "make: no $(PYTHON) on this machine: install Python 3.11 or newer, or name it: make PYTHON=python3.13 ..."; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "make: $$($(PYTHON) --version) is too old: 3.11 or newer is needed; name another: make PYTHON=python3.13 ..."; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "make: this Python cannot make virtual environments: install its venv package (Debian: python3-venv)"; exit 1; }
	@echo "Installing the pinned packages into .venv (once, about a minute) ..." >&2
	@$(PYTHON) -m venv .venv
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@
