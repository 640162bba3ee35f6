# One door for everything: the environment is made on first use and again when pyproject.toml changes.
PYTHON ?= python3
TEXT ?= Hello. This is moss-stream.
WORK ?= voice-work
BIN := .venv/bin
# Torch comes first and alone: its constraint keeps pip from fetching another build with it.
SETUP := .venv/.ready

CLIENTS := .venv-clients
TRIED := .venv-wheel
RAY := .venv-ray
DOCS := .venv-docs

.PHONY: say test test-avx2 test-clients test-ray style types docs bench wheel voice clean

$(SETUP): pyproject.toml constraints.txt
	$(PYTHON) -c "import sys; sys.version_info >= (3, 11) or sys.exit('moss-stream needs Python 3.11 or newer, this is ' + sys.version.split()[0])"
	$(PYTHON) -m venv --clear .venv
	$(BIN)/pip install --quiet --constraint constraints.txt torch
	$(BIN)/pip install --quiet --constraint constraints.txt --editable ".[dev,speaker]"
	touch $@

say: $(SETUP)
	$(BIN)/moss-stream say "$(TEXT)"

# All but what only CI needs; `make test SELECT=` runs that, too.
SELECT ?= not ci

test: $(SETUP)
	$(BIN)/pytest -m "$(SELECT)"

# On any x86-64 machine, as on one whose CPU has AVX2 alone (see tests/README.md).
AVX2 := ONEDNN_MAX_CPU_ISA=AVX2 ATEN_CPU_CAPABILITY=avx2 DNNL_DEFAULT_FPMATH_MODE=STRICT \
	MKL_ENABLE_INSTRUCTIONS=AVX2 NUMBA_CPU_NAME=haswell NUMBA_CPU_FEATURES=

# WHERE names folders; without it all tests run.
test-avx2: $(SETUP)
	$(AVX2) $(BIN)/pytest -m "not ci and not slow" $(WHERE)

# SDKs, Pipecat and LiveKit, as they are published, against `moss-stream serve`, and with the model in their own
# process (1.9 GB; installed once, in some minutes).
$(CLIENTS)/.ready: tests/clients/requirements.txt tests/clients/package.json pyproject.toml
	$(PYTHON) -m venv --clear $(CLIENTS)
	$(CLIENTS)/bin/pip install --quiet --constraint constraints.txt torch
	$(CLIENTS)/bin/pip install --quiet --requirement $< --editable .
	if command -v npm; then cp tests/clients/package.json $(CLIENTS)/ && npm install --silent --prefix $(CLIENTS); fi
	touch $@

test-clients: $(SETUP) $(CLIENTS)/.ready
	MOSS_STREAM=$(BIN)/moss-stream CLIENTS_NODE=$(CLIENTS)/node_modules $(CLIENTS)/bin/pytest -c tests/clients/pytest.ini --rootdir tests/clients tests/clients

# A real cluster of Ray Serve on this machine, with an environment of its own.
$(RAY)/.ready: tests/ray/requirements.txt pyproject.toml
	$(PYTHON) -m venv --clear $(RAY)
	$(RAY)/bin/pip install --quiet --constraint constraints.txt torch
	$(RAY)/bin/pip install --quiet --requirement $< --editable ".[server]"
	touch $@

test-ray: $(RAY)/.ready
	$(RAY)/bin/python -m pytest -c tests/ray/pytest.ini --rootdir tests/ray tests/ray

style: $(SETUP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(SETUP)
	$(BIN)/mypy

# The site, with every link checked; `.venv-docs/bin/mkdocs serve` shows it while it is written.
docs:
	test -d $(DOCS) || $(PYTHON) -m venv $(DOCS)
	$(DOCS)/bin/pip install --quiet "mkdocs-material>=9.6" "mkdocstrings[python]>=0.29"
	NO_MKDOCS_2_WARNING=1 $(DOCS)/bin/mkdocs build --quiet --strict

# Built, checked, and tried where nothing else of the project is: with the same libraries, from another folder.
wheel: $(SETUP)
	rm -rf dist $(TRIED)
	$(BIN)/pip install --quiet build twine
	$(BIN)/python -m build --wheel --outdir dist
	$(BIN)/twine check --strict dist/*.whl
	$(PYTHON) -m venv $(TRIED)
	$(BIN)/python -c "import sysconfig; print(sysconfig.get_path('purelib'))" > libraries.pth
	$(TRIED)/bin/pip install --quiet --no-deps dist/*.whl
	mv libraries.pth $$($(TRIED)/bin/python -c "import sysconfig; print(sysconfig.get_path('purelib'))")
	cd $(TRIED) && bin/moss-stream --version && bin/moss-stream say "Hello from a wheel." -o speech.wav --no-play && test -s speech.wav

bench: $(SETUP)
	$(BIN)/python -m benchmarks.embedded
	$(BIN)/python -m benchmarks.frame --shape tiny
	$(BIN)/python -m benchmarks.frame --shape mid --compare --dtype float32
	$(BIN)/python -m benchmarks.frame --shape mid --compare
	$(BIN)/python -m benchmarks.flat
	$(BIN)/python -m benchmarks.roofline -o roofline.png
	$(BIN)/python -m benchmarks.prefill
	$(BIN)/python -m benchmarks.first_byte
	$(BIN)/python -m benchmarks.kernel_code
	$(BIN)/python -m benchmarks.memory
	$(BIN)/python -m benchmarks.codec_precision
	$(BIN)/python -m benchmarks.linear

# The embedded voice, from Debian packages to moss_stream/assets: hours on a CPU. Stopped, it goes on where it was.
voice: $(SETUP)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable ".[dev,voice]"
	mkdir -p $(WORK)
	$(BIN)/python -m training.corpus $(WORK)
	$(BIN)/python -m training.teacher $(WORK)
	$(BIN)/python -m training.train_codec $(WORK)
	$(BIN)/python -m training.encode $(WORK)
	$(BIN)/python -m training.adapt_codec $(WORK)
	$(BIN)/python -m training.refine_codec $(WORK)
	$(BIN)/python -m training.train_speech $(WORK)
	$(BIN)/python -m training.package $(WORK)
	$(BIN)/python -m training.evaluate $(WORK)
	$(BIN)/python -m training.package $(WORK)
	$(BIN)/python -m training.loudness

clean:
	rm -rf .venv $(CLIENTS) $(RAY) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
