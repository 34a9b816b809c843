#!/usr/bin/env bash
# All tests: the Rust crates', then the Python package's, which is built and installed in .venv for that.
# With PyTorch in .venv (WENGERT_TEST_TORCH=1 installs it) the Python tests compare with it; without it they skip that.
set -euo pipefail
cd "$(dirname "$0")"
cargo test --workspace
[ -x .venv/bin/python ] || python3 -m venv .venv
.venv/bin/python -m pip install --quiet --disable-pip-version-check pytest numpy
if [ "${WENGERT_TEST_TORCH:-0}" = 1 ] && ! .venv/bin/python -c "import torch" 2>/dev/null; then
    .venv/bin/python -m pip install --quiet --disable-pip-version-check torch expecttest hypothesis scipy mypy safetensors
fi
.venv/bin/python -m pip install --quiet --disable-pip-version-check .
.venv/bin/python -m pytest -q crates/wengert-python/tests
