# Every target does its own set-up. Needs: Debian or Ubuntu, Python 3.11 to 3.13.
SHELL := /bin/bash
PYTHON ?= python3
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)
# Kivy's software GL, ZBar, right-to-left text, Noto Sans and a Chinese font, USB, NUT for
# the UPS (the play shop and the tests start their own; the package starts nothing), ALSA's
# player and the voice for sound, and venv itself.
PACKAGES := libzbar0 libegl1 libgles2 libgl1 libgl1-mesa-dri libfribidi0 libmtdev1 fonts-noto-core \
	fonts-wqy-microhei libusb-1.0-0 nut-server nut-client alsa-utils espeak-ng python3-venv

.PHONY: help setup run demo test conformance fuzz image image-tools test-image test-image-short image-same image-lock image-scores image-report check simulate bench lock clean

help: ## Say what each target does
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*##/\t/' | expand -t 12

setup: .venv/ready ## Prepare .venv, so that .venv/bin/kiosk is the program

.venv/packages:
	@missing=$$(for p in $(PACKAGES); do dpkg-query -W -f '$${db:Status-Status}' $$p 2>/dev/null | grep -qx installed || echo $$p; done); \
	if [ -n "$$missing" ]; then \
		echo "Installing system packages:" $$missing; \
		$(SUDO) apt-get -q update && $(SUDO) env DEBIAN_FRONTEND=noninteractive \
			apt-get -q -y --no-install-recommends install $$missing; \
	fi
	@mkdir -p .venv && touch $@

.venv/ready: .venv/packages requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v <= (3, 13) else f"Python 3.11 to 3.13 is needed, this is {v[0]}.{v[1]}: make PYTHON=python3.11 ...")'
	@echo "Making .venv ..."
	@$(PYTHON) -m venv .venv
	@echo "Installing $$(grep -c == requirements.lock) packages from requirements.lock, a minute or so the first time ..."
	@.venv/bin/pip -q install --disable-pip-version-check --require-hashes --only-binary :all: -r requirements.lock
	@echo "Installing kiosk itself ..."
	@.venv/bin/pip -q install --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@
	@echo "Ready: .venv/bin/kiosk --help"

run: setup ## Start a lane with simulated devices, the back office and the bench
	.venv/bin/kiosk run --play

demo: setup ## Play a whole day without a hand; the account is in var/demo
	.venv/bin/kiosk demo --out var/demo

test: setup ## Run every test that belongs to a change
	.venv/bin/python -m pytest

conformance: setup ## Hold codecs to real captures; print the camera's table (ten minutes)
	.venv/bin/python -m pytest tests/conformance
	.venv/bin/python tests/support/barcode_table.py

FUZZED := zvt zvt_line text nexo escpos scale nut scanner hid keypad
FUZZ_SECONDS ?= 600
fuzz: setup ## Throw bytes at each codec, ten minutes each (FUZZ_SECONDS=60 for less)
	.venv/bin/pip -q install --disable-pip-version-check --only-binary :all: 'atheris>=3,<4' || echo "No atheris here: seeded mutations instead"
	@set -e; for target in $(FUZZED); do PYTHONPATH=. .venv/bin/python tests/support/codec_fuzz.py $$target --seconds $(FUZZ_SECONDS); done

VARIANT ?= development
# What image needs counts as its time: Python's packages, the build's own tools.
BEGUN := $(shell date +%s)
image: setup var/image/tools/ready ## Build the appliance's disk image (as root; see image-build/README.md)
	.venv/bin/python image-build/build.py image --variant $(VARIANT) --begun $(BEGUN)

IMAGE_PACKAGES := mmdebstrap apt-utils dpkg squashfs-tools cryptsetup-bin fdisk mtools dosfstools sbsigntool cpio openssl zchunk \
	qemu-system-x86 qemu-utils ovmf swtpm e2fsprogs tesseract-ocr tesseract-ocr-eng
image-tools: ## Install what building, booting and measuring the image needs (as root)
	@$(SUDO) apt-get -q update && $(SUDO) env DEBIAN_FRONTEND=noninteractive \
		apt-get -q -y --no-install-recommends install $(IMAGE_PACKAGES)

BOOTED = STILLOPEN_IMAGE="$$(ls $(CURDIR)/var/image/disk-*/disk.img)" STILLOPEN_NEXT="$$(ls $(CURDIR)/var/image/next/*.swu 2>/dev/null)" \
	.venv/bin/python -m pytest -vv
test-image-short: image ## Boot the built disk, enrol it, sell with and without a network (as root, a quarter of an hour)
	$(BOOTED) tests/image/test_first_steps.py

# The shipped disk, and a later release of the same tree to be updated to.
NEXT ?= 99.0.0
test-image: image ## Boot the built disk in QEMU and drive it (as root, an hour and a half to two)
	.venv/bin/python image-build/build.py bundle --release $(NEXT) --variant development
	$(BOOTED) -n 2 --dist loadfile --no-loadscope-reorder tests/image

image-scores: ## Score the services of the built root and hold them to scores.toml (as root)
	@PYTHONPATH=image-build .venv/bin/python -m imagebuild.scores $(firstword $(wildcard var/image/final-*/root))

image-report: setup ## Measure the built image and print its figures (as root; half an hour, QUICK=--quick for less)
	PYTHONPATH=image-build:tests/support .venv/bin/python -m imagebuild.report $(QUICK)

image-same: setup var/image/tools/ready ## Build a commit's root and kernel twice and compare the bytes
	.venv/bin/python image-build/build.py same

image-lock: setup ## Lock the newest Debian packages for the image
	.venv/bin/python image-build/build.py lock

var/image/tools/ready: image-build/tools-python.txt
	@$(PYTHON) -m venv var/image/tools
	var/image/tools/bin/pip -q install --disable-pip-version-check -r $<
	@touch $@

check: setup ## ruff, format, mypy --strict
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy

simulate: setup ## Play 20,000 lane days with faults and power cuts (hours)
	.venv/bin/kiosk simulate --seed 1 --runs 20000

bench: setup ## Measure this machine
	.venv/bin/kiosk bench

lock: ## Resolve the dependencies anew (needs uv)
	uv pip compile pyproject.toml --extra dev --universal --generate-hashes --python-version 3.11 \
		--no-emit-index-url --no-annotate --no-header -q -o requirements.lock

clean: ## Remove what the other targets made
	rm -rf .venv var build *.egg-info
