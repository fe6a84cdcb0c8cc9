# Everything sets itself up: `make` needs only Python 3.11 or newer on the machine.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# uv is used where it is there (seconds instead of a minute); pip does the same work otherwise.
UV := $(shell command -v uv 2>/dev/null)

.PHONY: help setup run demo screenshots test test-images test-fast check format lock train bench clean

help: ## show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: $(VENV)/.installed ## make the virtual environment from the lock file

$(VENV)/.installed: requirements/dev.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
ifdef UV
	VIRTUAL_ENV=$(VENV) $(UV) pip sync --quiet --require-hashes requirements/dev.txt
else
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
endif
	touch $@

run: setup ## start the bot: against Telegram with BOT_TOKEN, in the local sandbox without
	$(BIN)/python -m sandbox

demo: setup ## send one track through sandbox and bot: make demo FILE=song.mp3
	$(BIN)/python -m sandbox demo $(if $(FILE),"$(FILE)")

screenshots: setup ## take the README's pictures of the sandbox anew
	$(BIN)/python -m scripts.screenshots

test: setup ## all tests but those of the images (installs and starts what they need where it can)
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not images"

test-images: setup ## build the container images and try the whole stack on a real engine
	$(BIN)/python -m pytest -m images

test-fast: setup ## the inner loop: under a minute
	$(BIN)/python -m pytest -q -m "not slow and not engine and not browser and not services"

check: setup ## format, lint, types, import rules, known vulnerabilities
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python scripts/audit.py

format: setup ## rewrite the code in the house's format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# The model's workshop: its own environment, FluidSynth from Debian, a working folder that can be continued.
DATA ?= ../shared/training
MODEL_VERSION ?= $(shell date -u +%Y.%m.0)
TRAIN_BIN := .venv-training/bin
train: .venv-training/.installed ## make the shipped weights anew (under an hour on two cores): make train DATA=folder
	command -v fluidsynth >/dev/null || { apt-get update -q && apt-get install -qy fluidsynth fluid-soundfont-gm \
	  timgm6mb-soundfont asterisk-core-sounds-en-gsm; } || { echo "Install FluidSynth and a soundfont first."; exit 1; }
	$(TRAIN_BIN)/python -m training all --data $(DATA) --version $(MODEL_VERSION)
	$(TRAIN_BIN)/python tests/golden/interest_curve.py

bench: .venv-training/.installed ## what a highlight costs, beside the floor, the bot and its rivals: make bench BENCH="--parts job"
	$(TRAIN_BIN)/python -W ignore::DeprecationWarning -m benchmarks.bench_pipeline $(BENCH)

.venv-training/.installed: requirements/training.txt
	test -x $(TRAIN_BIN)/python || $(PYTHON) -m venv .venv-training
	$(TRAIN_BIN)/python -m pip install --quiet --disable-pip-version-check 'torch>=2.6'
	$(TRAIN_BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/training.txt
	touch $@

# The lock files name no registry: whoever installs chooses where from.
LOCK = $(UV) pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --quiet
lock: ## refresh the lock files (needs uv)
	$(LOCK) -o requirements/run.txt
	$(LOCK) --extra scale -o requirements/scale.txt
	$(LOCK) --extra scale --group dev -o requirements/dev.txt
	$(LOCK) --extra scale --group dev --group training -o requirements/training.txt
	$(UV) pip compile --group watchdog --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --quiet -o requirements/watchdog.txt

clean: ## remove what make made
	rm -rf $(VENV) .venv-training var out
