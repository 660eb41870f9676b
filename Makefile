# One target per thing a person does; CI calls the same ones. `make` alone lists them.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
KEEP ?=
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-fast test-slow test-containers test-wheel bench-train bench-export bench-gateway bench-modelserver bench-swaps bench-serving bench-pixels bench-predict bench-overload bench-scaling attack outages check format messages dashboards kubernetes-files clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 20

setup: $(READY) ## make the virtual environment with the pinned dependencies

$(READY): pyproject.toml setup.py constraints.txt modelserver/engines/pixels/kernel.c
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Graft needs Python 3.11 or newer; $$($(PYTHON) --version) was found. Try: make $(MAKECMDGOALS) PYTHON=python3.11"; exit 2; }
	@echo "Setting up $(VENV) (once, two to five minutes; downloads TensorFlow, about 300 MB) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@# by themselves: what they require would put a second build of TensorFlow over the first
	@$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --no-deps tensorflow-serving-api keras-hub tokenizers
	@touch $@

demo: $(READY) ## train, export, serve and ask on handwritten digits; KEEP=1 reuses the last and leaves the service up
	@$(BIN)/python examples/digits.py $(if $(KEEP),--keep)

test: $(READY) ## run the tests; ARGS="--junitxml=tests.xml" and the like
	@$(BIN)/pytest $(ARGS)

test-fast: $(READY) ## run the tests that need no TensorFlow, in about a minute
	@$(BIN)/pytest --fast $(ARGS)

test-slow: $(READY) ## run the tests that take minutes each, but for test-wheel
	@$(BIN)/pytest -m slow -n0 --ignore=tests/packaging/test_wheel.py $(ARGS)

test-containers: $(READY) ## build the images and run them with podman; skips where that cannot be done
	@$(BIN)/pytest -m containers -n0 tests/containers

test-wheel: $(READY) ## install the wheel in an empty environment (downloads TensorFlow), then train, export and serve with it
	@$(BIN)/pytest -m slow -n0 tests/packaging/test_wheel.py

bench-train: $(READY) ## training speed of each phase beside a plain model.fit; ARGS="--px 224"
	@$(BIN)/python -m benchmarks.bench_train $(ARGS)

bench-export: $(READY) ## speed of the served graph, and the cost of its guards; ARGS="--weights FILE.h5"
	@$(BIN)/python -m benchmarks.bench_export $(ARGS)

bench-gateway: $(READY) ## what the gateway costs, beside a route that only forwards; ARGS="--requests 20000"
	@$(BIN)/python -m benchmarks.bench_gateway $(ARGS)

bench-modelserver: $(READY) ## speed of the model server beside the same graph in a loop; ARGS="--seconds 4 --rounds 5"
	@$(BIN)/python -m benchmarks.bench_modelserver $(ARGS)

bench-swaps: $(READY) ## latency and memory while versions replace each other under load; ARGS="--swaps 100"
	@$(BIN)/python -m benchmarks.bench_swaps $(ARGS)

bench-serving: $(READY) ## graft up beside a tutorial's service, other servers and the engines alone; ARGS="--folder .bench"
	@$(BIN)/python -m benchmarks.bench_serving $(ARGS)

bench-overload: $(READY) ## whether good responses stay in time at three times the capacity; ARGS="--folder .bench"
	@$(BIN)/python -m benchmarks.bench_overload $(ARGS)

bench-predict: $(READY) ## graft predict of 500 images beside what the server can do; ARGS="--folder .bench"
	@$(BIN)/python -m benchmarks.bench_predict $(ARGS)

bench-pixels: $(READY) ## bytes to pixels without TensorFlow beside the served graph; ARGS="models/NAME/1 photos"
	@$(BIN)/python -m benchmarks.bench_pixels $(ARGS)

attack: $(READY) ## everything one caller can send to cost others something, against graft up; ARGS=--short
	@$(BIN)/python -m benchmarks.attack $(ARGS)

outages: $(READY) ## outages with real processes and a real Prometheus on a faster clock, into docs/runbook.md; ARGS="--only killed"
	@$(BIN)/python -m benchmarks.outages $(ARGS)

bench-scaling: $(READY) ## throughput, latency and cost by number of replicas, from a queueing model; ARGS="--help"
	@$(BIN)/python -m benchmarks.scaling.table $(ARGS)

check: $(READY) ## formatting, lint, types and import directions
	@$(BIN)/ruff format --check
	@$(BIN)/ruff check --no-cache # the cache does not see that an imported module has moved
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: $(READY) ## put the code into its one format
	@$(BIN)/ruff format
	@$(BIN)/ruff check --fix

messages: $(READY) ## write contract/serving_messages.binpb anew, the messages of TensorFlow and TensorFlow Serving
	@$(BIN)/python -m scripts.serving_messages

kubernetes-files: $(READY) ## write deploy/kubernetes/base/generated anew, from the rules and settings of deploy/
	@$(BIN)/python -m scripts.kubernetes_files

dashboards: $(READY) ## write deploy/grafana/dashboards anew from their descriptions
	@$(BIN)/python -m scripts.dashboards

clean: ## remove the virtual environment and what the demo made
	rm -rf $(VENV) demo
