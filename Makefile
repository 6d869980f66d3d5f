# One command for each thing that is done with a checkout. All of them set up .venv first.

PYTHON := .venv/bin/python
ARGS ?=
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: setup demo serve test check bench load browser pins
.DEFAULT_GOAL := setup

# Instant when the pinned packages are there; built anew when the Python it was made with is gone.
setup:
	@if ! { cmp -s requirements.txt .venv/installed.txt && $(PYTHON) -c 'import django, pip'; } 2>/dev/null; then \
		python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
			|| { echo 'Python 3.11 or newer is needed.' >&2; exit 2; }; \
		$(PYTHON) -c 'import pip' 2>/dev/null || rm -rf .venv; \
		echo 'Setting up .venv'; \
		python3 -m venv .venv \
			&& $(PYTHON) -m pip install --quiet --require-hashes --requirement requirements.txt \
			&& cp requirements.txt .venv/installed.txt; \
	fi

demo: setup
	@$(PYTHON) manage.py demo $(ARGS)

serve: setup
	@$(PYTHON) manage.py serve $(ARGS)

test: setup browser
	@$(PYTHON) -m pytest -n 2 -rR $(ARGS)

bench: setup
	@$(PYTHON) -m tests.bench $(ARGS)

# Fifty agents on one queue, against a desk that runs on the same databases and is there to be tried.
load: setup
	@$(PYTHON) -m tests.load $(ARGS)

check: setup
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m mypy
	.venv/bin/lint-imports
	find templates -name '*.html' -exec .venv/bin/djade --target-version 5.2 --check {} +
	$(PYTHON) manage.py makemigrations --check --dry-run
	DESK_PUBLIC_URL=https://desk.example.com $(PYTHON) manage.py check --deploy --fail-level WARNING
	@mkdir -p var
	$(PYTHON) manage.py spectacular --validate --fail-on-warn --file var/openapi.yaml
	@if [ -e docs/openapi.yaml ]; then diff -u docs/openapi.yaml var/openapi.yaml; fi

# The browser tests need one. Its package is Debian's; installing it is root's business.
browser:
	@if ! command -v chromium >/dev/null; then \
		if [ "$$(id -u)" = 0 ]; then \
			apt-get update --quiet=2 && DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet=2 \
				--no-install-recommends chromium fonts-noto-core; \
		else \
			echo 'A browser is missing: sudo apt-get install chromium fonts-noto-core' >&2; exit 1; \
		fi; \
	fi

# After a change to requirements.in or requirements-dev.in.
pins: setup
	$(PYTHON) -m uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
		--no-emit-index-url --no-emit-find-links requirements.in requirements-dev.in --output-file requirements.txt
