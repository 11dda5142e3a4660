# Two commands do all: `make lab` opens the course, `make test` tests it. Both set up `.venv` first.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready
export PATH := $(CURDIR)/$(BIN):$(PATH)

.DEFAULT_GOAL := help
.PHONY: help setup lab build test demo bench

help:  ## list these targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' Makefile

setup: $(READY)  ## build .venv from environment.yml, when either has changed

$(READY): environment.yml pyproject.toml
	$(PYTHON) -m venv $(VENV)
	sed -n 's/^ *- \([A-Za-z].*==.*\)$$/\1/p' environment.yml > $(VENV)/requirements.txt
	$(BIN)/pip install --quiet --requirement $(VENV)/requirements.txt
	$(BIN)/pip install --quiet --no-deps --editable .
	touch $@

lab: setup  ## open the course in JupyterLab; your work is kept in work/
	$(BIN)/python -m grader lab

build: setup  ## make the notebooks from the lessons' text
	$(BIN)/python -m grader build

test: setup  ## run every test, and every cell of every notebook
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/pytest -n 2 --dist loadscope --no-loadscope-reorder
	$(BIN)/pytest -n 2 --dist loadscope --nbval solutions notebooks

demo: setup  ## a class of learners who do not exist: graded, with feedback and report, in demo/
	$(BIN)/python -m grader.demo

bench: setup  ## how fast a class is graded, against nbgrader as it comes and against the bare cells (BENCH=1000: a large class)
	$(BIN)/python -m grader.bench
