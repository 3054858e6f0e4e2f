# make run        segment one real chest CT (make run CT=path for your own) into out/
# make test       all tests; CI runs make check and make train-smoke beside them
# make train      train the shipped network again: minutes on a large graphics card, hours on a processor (DATA=folder)
# make cross-validate  judge the way of training by patient: a network for each fold (DATA=folder FOLDS=5 STEPS=n FINE_TUNE_STEPS=n)
# make ablation   what each part of the recommended preset contributes (DATA=folder STEPS=300), into runs/ablation
# make train-smoke  train a small network on synthetic thoraxes in under two minutes; fails unless it learns
# make check      lint, format and types
# make screenshots  pictures of the panels in their states and of a result, into Resources/Screenshots
# make test-pythonqt  the panels' tests on Slicer's own Qt binding (PYTHONQT=folder SLICER_SOURCES=folder; CONTRIBUTING.md)
# make robustness how the mask of the sample CT changes when the scan does
# make benchmark  time and memory on this machine
# make clean      remove the virtual environment, the sample CT and everything in .cache, out and build; runs stay

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CT ?=
# As it was given: neither make nor the shell looks at apostrophes and dollars in it.
export GIVEN_CT := $(value CT)
DATA ?= ../shared/data
RUN ?= runs/recommended
FOLDS ?= 5
# Steps of each network of cross-validate and ablation; empty for those of the presets, and 300 for ablation.
STEPS ?=
# Steps of each network's fine-tuning in cross-validate.
FINE_TUNE_STEPS ?= $(STEPS)
# Sources of PythonQt, and Slicer's folder Base/Python/slicer (empty: the stand-ins of Testing/slicer_host).
PYTHONQT ?=
SLICER_SOURCES ?=
# Processes that test at the same time, each one file after another and with one thread for PyTorch.
TEST_PROCESSES ?= 2
# Pinned, so that two machines compute the same; other versions work, too.
TORCH := torch==2.13.0

.PHONY: run test test-pythonqt check train cross-validate ablation train-smoke benchmark screenshots clean robustness

run: $(VENV)/run.stamp
	@ct="$$GIVEN_CT"; [ -n "$$ct" ] || ct=$$($(BIN)/python Testing/fetch_sample.py .cache) || exit 1; \
	$(BIN)/lungsegresnet segment "$$ct" out --overwrite

test: $(VENV)/dev.stamp
	$(BIN)/python Testing/fetch_sample.py .cache
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(TEST_PROCESSES) --dist loadfile --no-loadscope-reorder \
		--durations 15 --durations-min 2

test-pythonqt: $(VENV)/dev.stamp
	cmake -S Testing/slicer_host/pythonqt -B build/pythonqt -DCMAKE_BUILD_TYPE=MinSizeRel -DPYTHONQT='$(PYTHONQT)' \
		-DPython3_EXECUTABLE='$(abspath $(BIN)/python)'
	cmake --build build/pythonqt --parallel 2
	SLICER_HOST_PYTHONQT='$(abspath build/pythonqt)' SLICER_HOST_SOURCES='$(SLICER_SOURCES)' \
		$(BIN)/python -m pytest Testing/LungSegResNet Testing/LungSegResNetTraining

check: $(VENV)/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

train: $(VENV)/train.stamp
	$(BIN)/lungsegresnet-train fit $(DATA)/cases.csv --steps 5512 --batch-size 17 --learning-rate 0.01 \
		--optimiser adam --out $(RUN)
	$(BIN)/lungsegresnet-train fit $(RUN)/cases.csv --preset fine-tune --steps 2601 --batch-size 16 --learning-rate 0.002 \
		--start-network $(RUN)/network.safetensors --out $(RUN)-fine-tuned
	first=$(RUN)/network.safetensors; second=$(RUN)-fine-tuned/network.safetensors; $(BIN)/lungsegresnet-train mean \
		$$first $$second $$second $$second --out $(RUN)-mean.safetensors --overwrite
	$(BIN)/lungsegresnet-train fit $(RUN)/cases.csv --preset fine-tune --steps 1300 --batch-size 16 --learning-rate 0.002 \
		--seed 3 --start-network $(RUN)-mean.safetensors --out $(RUN)-third
	$(BIN)/lungsegresnet-train mean $(RUN)-mean.safetensors $(RUN)-third/network.safetensors \
		--out $(RUN)-third-mean.safetensors --overwrite
	$(BIN)/lungsegresnet-train fit $(RUN)/cases.csv --preset fine-tune --steps 1300 --batch-size 16 --learning-rate 0.0015 \
		--seed 5 --start-network $(RUN)-third-mean.safetensors --out $(RUN)-fourth
	$(BIN)/lungsegresnet-train mean $(RUN)-mean.safetensors $(RUN)-fourth/network.safetensors \
		--out $(RUN)-fourth-mean.safetensors --overwrite
	$(BIN)/lungsegresnet-train fit $(RUN)/cases.csv --preset fine-tune --steps 800 --batch-size 16 --learning-rate 0.002 \
		--seed 7 --start-network $(RUN)-fourth-mean.safetensors --out $(RUN)-fifth
	fifth=$(RUN)-fifth/network.safetensors; $(BIN)/lungsegresnet-train mean $(RUN)-mean.safetensors \
		$(RUN)-fourth-mean.safetensors $$fifth $$fifth --out $(RUN)-fifth-mean.safetensors --overwrite
	$(BIN)/lungsegresnet-train fit $(RUN)/cases.csv --preset fine-tune --steps 800 --batch-size 16 --learning-rate 0.0015 \
		--seed 11 --start-network $(RUN)-fifth-mean.safetensors --out $(RUN)-sixth
	first=$(RUN)-mean.safetensors; sixth=$(RUN)-sixth/network.safetensors; $(BIN)/lungsegresnet-train mean \
		$$first $$first $(RUN)-fourth/network.safetensors $(RUN)-fifth/network.safetensors $$sixth $$sixth \
		--out $(RUN)-sixth-mean.safetensors --overwrite
	$(BIN)/lungsegresnet-train fit $(RUN)/cases.csv --preset fine-tune --steps 800 --batch-size 16 --learning-rate 0.001 \
		--seed 13 --start-network $(RUN)-sixth-mean.safetensors --out $(RUN)-seventh
	first=$(RUN)-mean.safetensors; fifth=$(RUN)-fifth/network.safetensors; seventh=$(RUN)-seventh/network.safetensors; \
		$(BIN)/lungsegresnet-train mean $$first $$first $$first $$fifth $$fifth $(RUN)-sixth/network.safetensors \
		$$seventh $$seventh --out $(RUN)-last.safetensors --overwrite
	$(BIN)/lungsegresnet-train evaluate $(RUN)-last.safetensors $(RUN)/cases.csv --out $(RUN)-last-report

cross-validate: $(VENV)/train.stamp
	$(BIN)/lungsegresnet-train fit $(DATA)/cases.csv --folds $(FOLDS) $(if $(STEPS),--steps $(STEPS)) --out $(RUN)-folds
	$(BIN)/lungsegresnet-train fit $(DATA)/cases.csv --folds $(FOLDS) --preset fine-tune --seed 1 \
		$(if $(FINE_TUNE_STEPS),--steps $(FINE_TUNE_STEPS)) --start-network $(RUN)-folds --out $(RUN)-folds-fine-tuned
	$(BIN)/lungsegresnet-train evaluate $(RUN)-folds-fine-tuned $(DATA)/cases.csv --folds $(FOLDS) \
		--out $(RUN)-folds-fine-tuned/report

ablation: $(VENV)/train.stamp
	$(BIN)/python Testing/ablation.py $(DATA)/cases.csv runs/ablation $(if $(STEPS),--steps $(STEPS))
	$(BIN)/python Testing/ablation_neighbours.py $(DATA)/cases.csv runs/ablation $(if $(STEPS),--steps $(STEPS))

train-smoke: $(VENV)/train.stamp
	$(BIN)/python Testing/train_smoke.py .cache/train-smoke

screenshots: $(VENV)/dev.stamp
	$(BIN)/python Testing/screenshots.py
	$(BIN)/python Testing/result_views.py .cache Resources/Screenshots

robustness: $(VENV)/dev.stamp
	$(BIN)/python Testing/robustness.py .cache

benchmark: $(VENV)/benchmark.stamp
	$(BIN)/python Testing/benchmark.py .cache
	$(BIN)/python Testing/benchmark_warm.py .cache

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo 'Python 3.11 or newer is needed (make PYTHON=...)'; exit 1; }
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
		echo 'No virtual environment could be made; on Debian and Ubuntu install it first: sudo apt install python3-venv'; exit 1; }

# Segmenting needs no PyTorch, which takes gigabytes on Linux.
$(VENV)/run.stamp: $(VENV)/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet -e '.[openvino]'
	touch $@

$(VENV)/train.stamp: $(VENV)/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet '$(TORCH)' -e '.[train,openvino]'
	touch $@ $(VENV)/run.stamp

$(VENV)/dev.stamp: $(VENV)/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet '$(TORCH)' -e '.[dev,slicer]'
	touch $@ $(VENV)/train.stamp $(VENV)/run.stamp

$(VENV)/benchmark.stamp: $(VENV)/dev.stamp
	$(BIN)/python -m pip install --quiet '$(TORCH)' -e '.[benchmark]'
	touch $@

clean:
	rm -rf $(VENV) .cache out build
