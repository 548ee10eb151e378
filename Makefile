# Eggcrate: every target sets up what it needs. `make help` lists them.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := /bin/bash
PYTHON ?= python3
EGGCRATE := .venv/bin/eggcrate
ARGS ?=
unexport PYTHONDONTWRITEBYTECODE  # set in many containers; every start would compile all again

.PHONY: help
help: ## list the targets
	@echo "Eggcrate: lean images, one per environment, and the proof that components work in them"
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "ARGS= passes arguments on, for example: make test-matrix ARGS='--environment sklearn-1-5'"

.PHONY: setup
setup: ## make .venv from the root poetry.lock, hashes checked (other targets do it when needed)
	@$(PYTHON) scripts/bootstrap.py

.PHONY: test-matrix
test-matrix: setup ## prove every component in every compatible image: the main job
	@$(EGGCRATE) matrix $(ARGS)

.PHONY: build
build: setup ## build the images of all environments into the local store
	@$(EGGCRATE) build --all $(ARGS)

.PHONY: plan
plan: setup ## show which environments must be built, and why
	@$(EGGCRATE) plan $(ARGS)

.PHONY: impact
impact: setup ## tell what this change does: build/impact.md, the report for its pull request
	@$(EGGCRATE) impact $(ARGS)

.PHONY: push
push: setup ## build what is not published yet and push it to the registry
	@$(EGGCRATE) build --changed --push $(ARGS)

.PHONY: lock
lock: setup ## lock environments with Poetry's resolver, moving no pin that need not move
	@$(EGGCRATE) lock $(ARGS)

.PHONY: new-environment new-component new-pipeline
new-environment: setup ## make an environment: NAME=…, ARGS='polars' or '--from ENV --set REQUIREMENT'
	@$(EGGCRATE) new environment $(NAME) $(ARGS)

new-component: setup ## make a component with an example and tests, proven at once: NAME=…
	@$(EGGCRATE) new component $(NAME) $(ARGS)

new-pipeline: setup ## make a pipeline that compiles at once: NAME=…
	@$(EGGCRATE) new pipeline $(NAME) $(ARGS)

.PHONY: package
package: setup ## make a wheel of components/shared, the same bytes on every machine
	@$(EGGCRATE) package $(ARGS)

.PHONY: refresh
refresh: setup ## move all pins to the newest allowed, and tell what that does: a weekly pull request
	@$(EGGCRATE) outdated
	@$(EGGCRATE) lock --upgrade
	@$(EGGCRATE) report --catalogue
	@$(EGGCRATE) impact $(ARGS)

.PHONY: refresh-bases
refresh-bases: setup ## take Debian's newest packages, once all is proven on them: a nightly pull request
	@$(EGGCRATE) bases refresh $(ARGS)

.PHONY: catalogue
catalogue: setup ## write the catalogue's tables: README.md, docs/catalogue.md
	@$(EGGCRATE) report --catalogue $(ARGS)

.PHONY: run
run: setup ## run a pipeline on this machine: make run PIPELINE=training/iris
	@$(EGGCRATE) run $(PIPELINE) $(ARGS)

.PHONY: setup-all
setup-all: ## make .venv with Google's clients too, which the tests need
	@$(PYTHON) scripts/bootstrap.py --all

.PHONY: test
test: setup-all ## lint, type-check and test the tool itself, integration tests included
	@scripts/test.sh $(ARGS)

.PHONY: test-unit
test-unit: setup-all ## the tests that need no network and no other programs: the first that CI runs
	@scripts/test_unit.sh $(ARGS)

.PHONY: ci-local
ci-local: setup ## run cloudbuild.yaml as it is on this machine's Docker; ARGS='--pull-request', '--main'
	@$(EGGCRATE) ci-local $(ARGS)

.PHONY: lint
lint: setup ## ruff and mypy
	@scripts/lint.sh

.PHONY: fuzz
fuzz: setup-all ## hunt for input that breaks a parser: ARGS=600 for ten minutes (default: 60 seconds)
	@FUZZ_SECONDS=$(or $(ARGS),60) .venv/bin/pytest -q -n "$$(nproc)" tests/fuzz

.PHONY: reliability
reliability: setup-all ## try faults and bad input again, and write docs/reliability.md
	@EGGCRATE_FAULTS=$${EGGCRATE_FAULTS:-25} PYTHONPATH=ci:tests \
		.venv/bin/python -m support.reliability $(ARGS)

.PHONY: defences
defences: setup-all ## take each defence out of a copy: a test must fail then; ARGS='bomb' for some
	@PYTHONPATH=ci:tests .venv/bin/python -m support.defences $(ARGS)

.PHONY: doctor
doctor: setup ## show settings, where each comes from, and what this machine can do
	@$(EGGCRATE) doctor

.PHONY: docs
docs: catalogue ## write what is generated in docs/ and README.md: commands, and the catalogue
	@.venv/bin/python -m eggcrate.cli.reference

.PHONY: bench
bench: setup ## measure builds beside Docker, many environments, imports; ARGS='builds', 'scale', 'catalogue', …
	@.venv/bin/python scripts/bench.py $(ARGS)

.PHONY: clean
clean: ## remove what was built here (.eggcrate, build); all of it can be made again
	rm -rf .eggcrate build .pytest_cache .mypy_cache .ruff_cache .hypothesis
