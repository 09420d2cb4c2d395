# Everything that a user or developer of this clone does: `make help`.
# Plain POSIX shell and any make since 3.81.

GPU ?=    # 1: TensorFlow with CUDA. 0: back to the CPU. Unset: as the environment was made, else CPU.
PYTHON ?= # a Python 3.11 or 3.12; found by itself if left out
ARGS ?=   # more arguments for pytest (make test) or uv (make lock)

.DEFAULT_GOAL := help
.PHONY: help setup run test lint format docs lock clean

help: ## This list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/make \1\t\2/p' Makefile | expand -t 14

# The environment is made afresh when the lock changed, so that tensorflow-cpu and tensorflow never meet in it and nothing stale stays.
# A stamp is written last: what was interrupted is done again.
setup: ## Make .venv from the hashed lock (quick when nothing changed); GPU=1 takes TensorFlow with CUDA
	@set -eu; \
	case "$(strip $(GPU))" in \
	  1) lock=requirements-gpu.lock ;; \
	  0) lock=requirements.lock ;; \
	  *) lock=$$(sed -n 's/ .*//p' .venv/.lungline-lock 2>/dev/null) || true; lock=$${lock:-requirements.lock} ;; \
	esac; \
	locked="$$lock $$(cksum < $$lock) $(CURDIR)"; \
	if [ "$$(cat .venv/.lungline-lock 2>/dev/null)" != "$$locked" ] || ! .venv/bin/python -c "" 2>/dev/null; then \
	  python=; \
	  for candidate in $(or $(strip $(PYTHON)),python3.12 python3.11 python3 python "$${PYENV_ROOT:-$${HOME:-}/.pyenv}"/versions/3.1[12].*/bin/python3); do \
	    "$$candidate" -c 'import sys; sys.exit(sys.version_info[:2] not in ((3, 11), (3, 12)))' 2>/dev/null || continue; \
	    python=$$candidate; \
	    "$$candidate" -c 'import ensurepip, sqlite3, ssl' 2>/dev/null && break; \
	  done; \
	  if [ -z "$$python" ]; then \
	    echo "Lungline needs Python 3.11 or 3.12, and none was found. Install one, or name it: make setup PYTHON=/path/to/python3.12" >&2; exit 1; \
	  fi; \
	  if ! "$$python" -c 'import ensurepip' 2>/dev/null; then \
	    echo "$$python cannot make environments: apt install python3-venv" >&2; exit 1; \
	  fi; \
	  echo "Making .venv with $$("$$python" --version) from $$lock: some 2 GB, a minute or more."; \
	  rm -rf .venv; \
	  "$$python" -m venv .venv; \
	  .venv/bin/pip install --disable-pip-version-check --require-hashes --requirement $$lock; \
	  echo "$$locked" > .venv/.lungline-lock; \
	fi; \
	installed=$$(cksum < pyproject.toml); \
	if [ "$$(cat .venv/.lungline-project 2>/dev/null)" != "$$installed" ]; then \
	  .venv/bin/pip install --disable-pip-version-check --quiet --no-index --no-deps --no-build-isolation --editable .; \
	  echo "$$installed" > .venv/.lungline-project; \
	fi

run: setup ## Start everything in the foreground; Ctrl-C stops it
	@exec .venv/bin/lungline up

# Three at a time, even on two cores: most of the time tests wait for what they start. Each has servers, ports and a home of its own.
# In the order of tests/conftest.py, which begins with the longest files.
test: setup ## Unit, integration and acceptance tests; ARGS='-m slow' for those that take minutes
	@.venv/bin/pytest -n 3 --dist loadfile --no-loadscope-reorder $(ARGS)

lint: setup ## ruff, mypy --strict, import-linter
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports --no-logo

format: setup ## Let ruff put the code in order
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

docs: setup ## Write the tables in docs/settings.md and docs/reason-codes.md anew
	.venv/bin/python -m tests.unit.test_docs

# One lock serves 3.11 and 3.12 on every platform, and names no index: pip takes the one that the machine is set to.
compile = uv pip compile --quiet --system-certs --universal --generate-hashes --python-version 3.11 --custom-compile-command 'make lock' \
  --extra dev $(ARGS) pyproject.toml

lock: ## Resolve both locks anew; ARGS=--upgrade for newer versions
	@set -eu; tools=$$(mktemp -d); trap 'rm -rf "$$tools"' EXIT; \
	$(or $(strip $(PYTHON)),python3) -m venv "$$tools"; "$$tools/bin/pip" install --disable-pip-version-check --quiet uv; \
	PATH="$$tools/bin:$$PATH"; \
	$(compile) --extra cpu --output-file requirements.lock; \
	$(compile) --extra gpu --constraint requirements.lock --output-file requirements-gpu.lock; \
	if grep -nE '://|^--?(extra-)?(index|find)' requirements.lock requirements-gpu.lock; then echo 'A lock names an address.' >&2; exit 1; fi

clean: ## Remove .venv and caches; never a home with its scans
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis build *.egg-info
