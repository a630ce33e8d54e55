# The one door: people, CI and README use these targets and nothing else.
.DEFAULT_GOAL := help
.SILENT:
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c

PYTHON ?= python3.11
# cpu or gpu: which ONNX Runtime the environment gets.
ACCELERATOR ?= cpu
# Which lock file in requirements/ the environment holds; a serving machine takes serve-cpu or serve-gpu.
REQUIREMENTS ?= $(ACCELERATOR)
VENV ?= .venv
PY := $(VENV)/bin/python
STAMP := $(VENV)/.installed-$(REQUIREMENTS)

# These come from make's command line alone: a shell's own HOST or NAMES must not leak in.
# Where the images are; without DATA a small set of maize leaves is drawn.
DATA =
# The run's name; by default the data folder's.
RUN =
# The bundle to serve or to ask; by default the run's.
BUNDLE =
# A folder of bundles to serve in its place: several models, and versions of them.
MODELS =

# Training. Empty means the default that `make train-help` shows.
ARCH =
WEIGHTS = $(if $(DATA),,none)
SIZE = $(if $(DATA),,64)
FIT =
EPOCHS = $(if $(DATA),,10)
BATCH =
LR =
FREEZE =
NAMES =
SKIP_UNREADABLE =
RESUME =
OVERWRITE =
VERSION =
# Serving and predicting.
HOST =
PORT =
PROVIDER =
TOP_K =
IMAGE =
OUT =
# TorchServe.
ENGINE =
MANAGEMENT =
# Load tests.
TARGET =
PROTOCOL =
IMAGES =
A =
B =
# Anything else the command understands, as it is: ARGS="--seed 1".
ARGS =

# Values reach the commands through the environment: paths may hold spaces, quotes and apostrophes.
export DATA RUN BUNDLE MODELS ARCH WEIGHTS SIZE FIT EPOCHS BATCH LR NAMES VERSION HOST PORT PROVIDER TOP_K IMAGE OUT ENGINE TARGET PROTOCOL IMAGES A B
option = $(if $($(1)),--$(2) "$$$(1)")
switch = $(if $($(1)),--$(2))
run = "$${RUN:-$$(basename "$${DATA:-sample}" .csv)}"
bundle = "$${BUNDLE:-runs/$${RUN:-$$(basename "$${DATA:-sample}" .csv)}/bundle}"

TRAIN_OPTIONS = $(call option,ARCH,arch) $(call option,WEIGHTS,weights) $(call option,SIZE,size) $(call option,FIT,fit) \
	$(call option,EPOCHS,epochs) $(call option,BATCH,batch) $(call option,LR,lr) $(call option,NAMES,names) \
	$(call switch,FREEZE,freeze) $(call switch,SKIP_UNREADABLE,skip-unreadable) \
	$(call switch,RESUME,resume) $(call switch,OVERWRITE,overwrite) $(ARGS)

.PHONY: help install sample train train-help export serve predict archive torchserve torchserve-stop \
	bench bench-quick bench-peers bench-compare bench-session \
	format check test test-slow lock clean

help: ## List every target
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

$(STAMP): requirements/$(REQUIREMENTS).txt
	@echo "Installing requirements/$(REQUIREMENTS).txt into $(VENV) (the full set is 6 GB and takes some two minutes)"
	test -x $(PY) || $(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	touch $@

install: $(STAMP) ## Make the environment (REQUIREMENTS=cpu, gpu, serve-cpu or serve-gpu)

sample: $(STAMP) ## Draw the sample set: 1,100 maize leaves in four classes
	$(PY) -m training.sample --folder data/sample

train: $(STAMP) $(if $(DATA),,sample) ## Train on DATA=folder (or the sample set); ARCH WEIGHTS SIZE FIT EPOCHS BATCH LR FREEZE NAMES RESUME OVERWRITE
	$(PY) -m training --data "$${DATA:-data/sample}" --run $(run) $(TRAIN_OPTIONS)

train-help: $(STAMP) ## Every training option with its default
	$(PY) -m training --help

export: $(STAMP) ## Export RUN=name: TorchScript, ONNX, the proof that they agree, the bundle
	$(PY) -m export --run $(run) $(call option,VERSION,version)

serve: $(STAMP) ## Serve RUN=name (or BUNDLE=folder, or MODELS=folder of bundles) on port 5000; HOST PORT PROVIDER
	$(PY) -m serve $(if $(MODELS),--models "$$MODELS",--bundle $(bundle)) $(call option,HOST,host) $(call option,PORT,port) $(call option,PROVIDER,provider) $(ARGS)

predict: $(STAMP) ## Answer for IMAGE=picture.jpg without a server; OUT=prediction_result.jpg draws the answer
	@test -n "$$IMAGE" || { echo 'error: say which picture: make predict IMAGE=leaf.jpg' >&2; exit 2; }
	$(PY) -m runtime --bundle $(bundle) --image "$$IMAGE" $(call option,OUT,out) $(call option,TOP_K,top-k) $(call option,PROVIDER,provider)

archive: $(STAMP) ## Pack RUN=name (or BUNDLE=folder) for TorchServe into model_archive/; ENGINE=torchscript or onnx
	$(PY) -m export.archive --bundle $(bundle) $(call option,ENGINE,engine)

torchserve: $(STAMP) ## Start TorchServe with the archive of RUN=name on port 8080; PORT, MANAGEMENT=1
	$(PY) -m handlers.launcher start --name $(run) $(call option,PORT,port) $(call switch,MANAGEMENT,management)

torchserve-stop: $(STAMP) ## Stop TorchServe
	$(PY) -m handlers.launcher stop

BENCH_OPTIONS = $(call option,TARGET,target) $(call option,PROTOCOL,protocol) $(call option,IMAGES,images) \
	$(call option,OUT,out) $(ARGS)

bench: $(STAMP) ## Load-test RUN=name on our three servers, or TARGET=http://… PROTOCOL=predict, torchserve, v2 or v2-binary; IMAGES OUT
	$(PY) -m benchmarks --bundle $(bundle) $(BENCH_OPTIONS)

bench-quick: $(STAMP) ## Less of the same, in under three minutes
	$(PY) -m benchmarks --bundle $(bundle) --quick $(BENCH_OPTIONS)

PEERS_STAMP := .venv-peers/.installed

$(PEERS_STAMP): requirements/peers.txt
	echo "Installing the peers into .venv-peers (6 GB)"
	test -x .venv-peers/bin/python || $(PYTHON) -m venv .venv-peers
	.venv-peers/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	touch $@

PEERS = lean torchscript onnx image_classifier flask fastapi litserve bentoml ray

bench-peers: $(STAMP) $(PEERS_STAMP) ## The same for what a user might pick instead: Flask, FastAPI, LitServe, BentoML, Ray Serve …
	$(PY) -m benchmarks --bundle $(bundle) --servers $(PEERS) $(BENCH_OPTIONS)

bench-compare: $(STAMP) ## Results folders A=before and B=after side by side; fails if B is worse
	$(PY) -m benchmarks.compare --a "$$A" --b "$$B" $(ARGS)

bench-session: $(STAMP) ## Images/s of decoding and of the session in process, for RUN=name: what no server can exceed
	$(PY) -m benchmarks.session --bundle $(bundle) $(call option,PROVIDER,provider)

format: $(STAMP) ## Format the code
	$(PY) -m ruff format .
	$(PY) -m ruff check --fix .

check: $(STAMP) ## Formatting, lint and types, as CI checks them
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(PY) -m mypy

test: $(STAMP) ## The default tests, under five minutes on 2 cores
	$(PY) -m pytest

test-slow: $(STAMP) ## The tests that take minutes: they run `make train export archive` first
	$(PY) -m pytest -m slow

lock: $(STAMP) ## Pin requirements/*.txt anew from pyproject.toml
	$(PY) requirements/lock.py

clean: ## Remove caches; runs, data and the environment stay
	rm -rf .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +
