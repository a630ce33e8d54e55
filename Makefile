# The entry point: users, CI and the README use only these targets.
.DEFAULT_GOAL := help
.SILENT:
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c

PYTHON ?= python3.11
# cpu or gpu: the ONNX Runtime that is installed.
ACCELERATOR ?= cpu
# The lock file in requirements/ to install; on a machine that only serves, use serve-cpu, serve-openvino or serve-gpu.
REQUIREMENTS ?= $(ACCELERATOR)
VENV ?= .venv
PY := $(VENV)/bin/python
STAMP := $(VENV)/.installed-$(REQUIREMENTS)

# These are read only from make's command line; variables of the shell, such as HOST or NAMES, are ignored.
# Folder with the images; without DATA, a small sample set of maize leaves is made.
DATA =
# Name of the run; by default the name of the data folder.
RUN =
# The bundle to use; by default the bundle of the run.
BUNDLE =
# A folder of bundles to serve instead of one bundle: several models, and versions of them.
MODELS =

# Training. If empty, the default applies; `make train-help` shows it.
ARCH =
WEIGHTS = $(if $(DATA),,none)
SIZE = $(if $(DATA),,64)
FIT =
EPOCHS = $(if $(DATA)$(STEPS),,10)
STEPS =
BATCH =
SCHEDULE =
OPTIMIZER =
CONTRAST =
AUGMENT =
BALANCE =
FOLDS =
LR =
FREEZE =
NAMES =
CLASSES =
MIN_IMAGES =
SHARES =
SPLIT =
SKIP_UNREADABLE =
RESUME =
OVERWRITE =
VERSION =
# PT2=1: also model.pt2 (torch.export), and model.compiled.pt2 where there is a C++ compiler.
PT2 =
# Fast modes: FAST=0 leaves them out of an export.
FAST =
MAX_LOSS =
EVIDENCE =
MODES =
# Arrays that become images.
ARRAYS =
LABELS =
# Serving and predicting.
HOST =
PORT =
PROVIDER =
PRECISION =
SETTINGS =
SLO_P99_MS =
TOP_K =
IMAGE =
OUT =
SORT =
UNSURE =
PART =
RECALL =
RUNS =
# TorchServe.
ENGINE =
MANAGEMENT =
# Load tests, and which container image.
TARGET =
BASE =
PROTOCOL =
IMAGES =
A =
B =
# Other options of the command, passed unchanged: ARGS="--seed 1".
ARGS =

# Values are passed to the commands as environment variables, so paths may contain spaces, quotes and apostrophes.
export ARRAYS LABELS DATA RUN BUNDLE MODELS ARCH WEIGHTS SIZE FIT EPOCHS STEPS BATCH LR SCHEDULE OPTIMIZER CONTRAST AUGMENT BALANCE FOLDS NAMES CLASSES MIN_IMAGES SHARES SPLIT VERSION MAX_LOSS EVIDENCE HOST PORT PROVIDER PRECISION SETTINGS SLO_P99_MS TOP_K IMAGE OUT SORT UNSURE PART RECALL RUNS ENGINE TARGET BASE PROTOCOL IMAGES A B
option = $(if $($(1)),--$(2) "$$$(1)")
switch = $(if $($(1)),--$(2))
name = $${RUN:-$$(basename "$${DATA:-sample}" .csv)}
run = "$(name)"
bundle = "$${BUNDLE:-runs/$(name)/bundle}"

DATA_OPTIONS = $(call option,NAMES,names) $(call option,CLASSES,classes) $(call option,MIN_IMAGES,min-images) \
	$(call option,SHARES,shares) $(call option,SPLIT,split) $(call switch,SKIP_UNREADABLE,skip-unreadable)

TRAIN_OPTIONS = $(DATA_OPTIONS) $(call option,ARCH,arch) $(call option,WEIGHTS,weights) $(call option,SIZE,size) $(call option,FIT,fit) \
	$(call option,EPOCHS,epochs) $(call option,STEPS,steps) $(call option,BATCH,batch) $(call option,LR,lr) \
	$(call option,SCHEDULE,schedule) $(call option,OPTIMIZER,optimizer) \
	$(call option,CONTRAST,contrast) $(call option,AUGMENT,augment) $(call option,BALANCE,balance) $(call option,FOLDS,folds) \
	$(call switch,FREEZE,freeze) \
	$(call switch,RESUME,resume) $(call switch,OVERWRITE,overwrite) $(ARGS)

FAST_OPTIONS = $(call option,MAX_LOSS,max-loss) $(call option,EVIDENCE,evidence) $(if $(MODES),--modes $(MODES))

.PHONY: help install sample images check-data baseline doctor weights train train-help export certify evaluate compare serve tune predict archive torchserve torchserve-stop \
	image image-test sbom \
	bench bench-quick bench-peers bench-compare bench-train bench-shares bench-hostile bench-session \
	format check test test-slow prove lock clean

help: ## List all targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

$(STAMP): requirements/$(REQUIREMENTS).txt
	@echo "Installing requirements/$(REQUIREMENTS).txt into $(VENV)$(if $(filter cpu gpu,$(REQUIREMENTS)), (all packages: 6 GB; one to three minutes))"
	requirements/install.sh $(PYTHON) $(VENV) $<
	touch $@

install: $(STAMP) ## Create the Python environment (REQUIREMENTS=cpu, gpu, serve-cpu, serve-openvino or serve-gpu)

sample: $(STAMP) ## Make the sample set: 1,100 drawn images of maize leaves in four classes
	$(PY) -m dataset.sample --folder data/sample

train: $(STAMP) $(if $(DATA),,sample) ## Train on DATA=folder (or the sample set); ARCH WEIGHTS SIZE FIT CONTRAST AUGMENT BALANCE EPOCHS STEPS BATCH LR SCHEDULE OPTIMIZER FOLDS FREEZE NAMES CLASSES MIN_IMAGES SHARES SPLIT RESUME OVERWRITE
	$(PY) -m training --data "$${DATA:-data/sample}" --run $(run) $(TRAIN_OPTIONS)

baseline: $(STAMP) $(if $(DATA),,sample) ## What features of a frozen network tell of DATA=folder, would more images help, which labels look wrong; WEIGHTS ARCH SIZE CONTRAST OUT
	$(PY) -m training.baseline --data "$${DATA:-data/sample}" --out "$${OUT:-runs/$(name).baseline}" $(DATA_OPTIONS) $(call option,ARCH,arch) \
	$(call option,WEIGHTS,weights) $(call option,SIZE,size) $(call option,FIT,fit) $(call option,CONTRAST,contrast) $(call option,FOLDS,folds) $(ARGS)

weights: $(STAMP) ## Fetch and verify the official ImageNet weights of ARCH=resnet152, so that training needs no network
	$(PY) -m training.weights $(call option,ARCH,arch)

doctor: $(STAMP) $(if $(DATA),,sample) ## Would it learn? Checks DATA=folder and the options of train in under a minute, before hours are spent
	$(PY) -m training.doctor --data "$${DATA:-data/sample}" --run $(run) $(TRAIN_OPTIONS)

train-help: $(STAMP) ## Show all training options and their defaults
	$(PY) -m training --help

images: $(STAMP) ## Turn ARRAYS=folder or file of NumPy arrays (.npy, .npz) into a folder of images, OUT=folder; LABELS=labels.npy
	@test -n "$$ARRAYS" -a -n "$$OUT" || { echo 'error: ARRAYS and OUT are not both set: make images ARRAYS=arrays OUT=images' >&2; exit 2; }
	$(PY) -m dataset.arrays --arrays "$$ARRAYS" --out "$$OUT" $(call option,LABELS,labels)

check-data: $(STAMP) $(if $(DATA),,sample) ## Check the images of DATA=folder: counts, near-duplicates, wrong labels, shortcuts; writes a page, OUT=page.html
	$(PY) -m evaluation.check --data "$${DATA:-data/sample}" --out "$${OUT:-runs/$(name).data.html}" $(DATA_OPTIONS) $(ARGS)

export: $(STAMP) ## Export RUN=name as a bundle: TorchScript, ONNX, the proof that both match the trained model, and fast modes (FAST=0: none)
	$(PY) -m export --run $(run) $(call option,VERSION,version) $(call switch,PT2,pt2)
	$(if $(filter 0 no off,$(FAST)),,$(PY) -m export.fast --run $(run) $(FAST_OPTIONS))

certify: $(STAMP) ## Prove the fast modes of RUN=name on this machine; MAX_LOSS=points EVIDENCE=folder of further pictures MODES="cpu:int8 openvino:bf16"
	$(PY) -m export.fast --run $(run) $(FAST_OPTIONS) $(ARGS)

serve: $(STAMP) ## Serve RUN=name (or BUNDLE=folder, or MODELS=folder of bundles) on port 5000; HOST PORT PROVIDER PRECISION SETTINGS=serve.toml
	$(PY) -m serve $(if $(MODELS),--models "$$MODELS",--bundle $(bundle)) $(call option,HOST,host) $(call option,PORT,port) $(call option,PROVIDER,provider) $(call option,PRECISION,precision) $(call option,SETTINGS,settings) $(ARGS)

tune: $(STAMP) ## Measure every way to serve RUN=name on this machine and write serve.toml beside its bundle; SLO_P99_MS=milliseconds
	$(PY) -m benchmarks.tune --bundle $(bundle) $(call option,SLO_P99_MS,slo-p99-ms) $(call option,PROVIDER,provider) $(call option,PRECISION,precision) $(call option,IMAGES,images) $(ARGS)

evaluate: $(STAMP) ## Measure the bundle of RUN=name on labelled images: DATA=folder or table, by default the run's own test images; PART RECALL=class:0.95 OUT
	$(PY) -m evaluation.measure --bundle $(bundle) --data "$${DATA:-runs/$(name)/split.csv}" $(call option,PART,part) $(call option,RECALL,recall) $(call option,CLASSES,classes) $(call option,OUT,out) $(call option,PROVIDER,provider) $(call option,PRECISION,precision) $(call switch,SKIP_UNREADABLE,skip-unreadable) $(ARGS)

compare: $(STAMP) ## Compare runs on the same test images, each with the first: RUNS="first second"; PART OUT
	@test -n "$$RUNS" || { echo 'error: RUNS is not set; give the names of two or more runs: make compare RUNS="first second"' >&2; exit 2; }
	set -f; $(PY) -m evaluation.compare --runs $$RUNS $(call option,PART,part) $(call option,OUT,out) $(ARGS)

predict: $(STAMP) ## Classify IMAGE=picture.jpg, a folder or a pattern, without a server; OUT=file or folder, SORT=folder, UNSURE=0.8
	@test -n "$$IMAGE" || { echo 'error: IMAGE is not set; give an image file or a folder: make predict IMAGE=leaf.jpg' >&2; exit 2; }
	$(PY) -m evaluation.predict --bundle $(bundle) --image "$$IMAGE" $(call option,OUT,out) $(call option,SORT,sort) $(call option,UNSURE,unsure-below) $(call option,TOP_K,top-k) $(call option,PROVIDER,provider) $(call option,PRECISION,precision)

archive: $(STAMP) ## Pack RUN=name (or BUNDLE=folder) for TorchServe into model_archive/; ENGINE=torchscript or onnx
	$(PY) -m export.archive --bundle $(bundle) $(call option,ENGINE,engine)

torchserve: $(STAMP) ## Start TorchServe with the archive of RUN=name on port 8080; PORT, MANAGEMENT=1
	$(PY) -m handlers.launcher start --name $(run) $(call option,PORT,port) $(call switch,MANAGEMENT,management)

torchserve-stop: $(STAMP) ## Stop TorchServe
	$(PY) -m handlers.launcher stop

image: ## Build a container image with docker, podman or buildah: TARGET=serve, serve-openvino, serve-gpu, train, train-gpu or torchserve; BASE
	containers/build-image.sh "$${TARGET:-serve}"

image-test: $(STAMP) ## Build the image of TARGET=serve, run it and try to break it
	$(PY) -m pytest -m container

sbom: $(STAMP) ## Write bills of materials (CycloneDX) of the lock files into sbom/, and look for known vulnerabilities
	$(PY) requirements/sbom.py

BENCH_OPTIONS = $(call option,TARGET,target) $(call option,PROTOCOL,protocol) $(call option,IMAGES,images) \
	$(call option,OUT,out) $(ARGS)

bench: $(STAMP) ## Load-test our server and TorchServe with RUN=name, or a running server: TARGET=http://… PROTOCOL=predict, torchserve, v2 or v2-binary; IMAGES OUT
	$(PY) -m benchmarks --bundle $(bundle) $(BENCH_OPTIONS)

bench-quick: $(STAMP) ## A shorter load test, in under three minutes
	$(PY) -m benchmarks --bundle $(bundle) --quick $(BENCH_OPTIONS)

PEERS_STAMP := .venv-peers/.installed

$(PEERS_STAMP): requirements/peers.txt
	echo "Installing the other servers into .venv-peers (6 GB)"
	requirements/install.sh $(PYTHON) .venv-peers $<
	touch $@

PEERS = lean fast torchscript onnx image_classifier flask fastapi litserve bentoml ray

bench-peers: $(STAMP) $(PEERS_STAMP) ## Load-test our servers, ours in its fast modes too, and alternatives: Flask, FastAPI, LitServe, BentoML, Ray Serve …
	$(PY) -m benchmarks --bundle $(bundle) --servers $(PEERS) $(BENCH_OPTIONS)

bench-compare: $(STAMP) ## Compare the results folders A=before and B=after; fails if B is worse
	$(PY) -m benchmarks.report.compare --a "$$A" --b "$$B" $(ARGS)

bench-train: $(STAMP) ## Images per second in training, beside a plain loop; ARCH SIZE BATCH
	$(PY) -m benchmarks.training.speed $(call option,ARCH,arch) $(call option,SIZE,size) $(call option,BATCH,batch) $(ARGS)

bench-shares: $(STAMP) ## What share of the same work without a server our server reaches with RUN=name and 16 and 64 clients
	$(PY) -m benchmarks.shares --bundle $(bundle) $(ARGS)

bench-hostile: $(STAMP) ## Attack our server with RUN=name: huge bodies, pictures that unfold, long requests; its memory and how others fare
	$(PY) -m benchmarks.hostile --bundle $(bundle) $(ARGS)

bench-session: $(STAMP) ## Measure decoding and the session of RUN=name without a server: no server can be faster
	$(PY) -m benchmarks.session --bundle $(bundle) $(call option,PROVIDER,provider) $(call option,PRECISION,precision)

format: $(STAMP) ## Format the code
	$(PY) -m ruff format .
	$(PY) -m ruff check --fix .

check: $(STAMP) ## Check formatting, lint and types, as CI does
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(PY) -m mypy

test: $(STAMP) ## Run the default tests: under five minutes on 2 cores
	$(PY) -m pytest -n 2 --dist loadfile

test-slow: $(STAMP) ## Run the slow tests: minutes each, among them the commands of the README
	$(PY) -m pytest -m slow

prove: $(STAMP) ## Try much more than a commit can wait for: long fuzzing, many seeds, many kills (about an hour)
	PROVE=1 $(PY) -m pytest -m proof

lock: $(STAMP) ## Update requirements/*.txt from pyproject.toml
	$(PY) requirements/lock.py

clean: ## Remove caches; runs, data and the environment are kept
	rm -rf .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +
