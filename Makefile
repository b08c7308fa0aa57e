# Everything here sets itself up on a machine with Python 3.11 or 3.12; nothing else is typed.
PYTHON ?= python3
VENV := .venv/bin
VOLUME ?=
SHELL := /bin/bash

.PHONY: set-up demo test test-slow check benchmark screenshots

set-up:
	@$(PYTHON) Testing/set_up.py

demo: set-up
	@$(VENV)/segmentationai demo --output demo-output $(if $(VOLUME),--volume "$(VOLUME)")

check: set-up
	@$(VENV)/ruff format --check --quiet .
	@$(VENV)/ruff check --quiet .
	@$(VENV)/mypy SegmentationAI/SegmentationAILib

test: check
	@$(VENV)/python -m pytest -m "not slow and not gpu" $(PYTEST)

test-slow: set-up
	@$(VENV)/python -m pytest -m "slow and not gpu" $(PYTEST)

benchmark: set-up
	@$(PYTHON) Testing/set_up.py --benchmark
	@.venv-benchmark/bin/python Testing/benchmarks/run_all.py $(TOPICS)

# Needs the public volumes of ../shared/data.
screenshots: set-up
	@mkdir -p Screenshots
	@$(VENV)/segmentationai demo --output demo-output
	@cp demo-output/mosaic.png Screenshots/demo-phantom.png
	@$(VENV)/segmentationai demo --output demo-output --volume ../shared/data/brain-t1/t1.nii.gz
	@cp demo-output/mosaic.png Screenshots/demo-brain-t1.png
	@$(VENV)/python Testing/make_screenshots.py
	@$(VENV)/python Testing/make_weak_label_picture.py
