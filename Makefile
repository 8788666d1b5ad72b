# Every command a contributor needs; `make help` lists them.
.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help demo test lint chaos bench pictures format clean

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.venv/run: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; point to it with: make PYTHON=python3.12 ..."; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "installing into .venv ..."
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	@touch $@

.venv/test: .venv/run
	@echo "installing the test extras into .venv ..."
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[test]'
	@touch $@

demo: .venv/run ## the whole gateway with invented data, on http://127.0.0.1:8000 (PORT changes it)
	@exec $(BIN)/mati up --demo

test: .venv/test ## the whole test suite, on SQLite and PostgreSQL, with a real Redis
	@$(BIN)/python -m pytest -n logical --maxprocesses 4 --dist loadfile $(ARGS)

lint: .venv/test ## ruff and mypy
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

chaos: .venv/test ## faults while 10,000 messages go out, and an audit (ROWS="kill flushall", MESSAGES=1000)
	@$(BIN)/python -W ignore:XDG_RUNTIME_DIR -m bench.chaos $(ROWS) $(if $(MESSAGES),--messages $(MESSAGES))

bench: .venv/test ## beside what people would use instead: ratios and goals (ROWS="ussd bulk", ROUNDS=1, SHARE=0.2)
	@$(BIN)/python -W ignore:XDG_RUNTIME_DIR -m bench $(ROWS) $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(SHARE),--share $(SHARE))

pictures: .venv/test ## take the pictures of the docs anew (needs Chromium)
	@$(BIN)/python docs/take_pictures.py

format: .venv/test ## put the code into shape
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

clean: ## remove what was installed and built; data stay
	rm -rf .venv *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
