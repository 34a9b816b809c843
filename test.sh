#!/usr/bin/env bash
# All tests: the Rust crates', then the Python package's, which is built and installed in .venv for that.
# With PyTorch in .venv (WENGERT_TEST_TORCH=1 installs it) the Python tests compare with it; without it they skip that.
# That also fetches a sentence encoder (83 MB) for the example that reads with it; without it that example's tests say that
# they are left out.
set -euo pipefail
cd "$(dirname "$0")"
[ -x .venv/bin/python ] || python3 -m venv .venv
features=()
if [ "${WENGERT_TEST_TORCH:-0}" = 1 ]; then
    features=(--features wengert-examples/minilm)
    if .venv/bin/python examples/data/fetch_minilm.py; then
        export WENGERT_TEST_MINILM=1
    else
        echo "left out: the tests of the real sentence encoder, which could not be fetched" >&2
    fi
fi
cargo test --workspace ${features[@]+"${features[@]}"}
.venv/bin/python -m pip install --quiet --disable-pip-version-check pytest numpy
if [ "${WENGERT_TEST_TORCH:-0}" = 1 ] && ! .venv/bin/python -c "import torch, tokenizers" 2>/dev/null; then
    .venv/bin/python -m pip install --quiet --disable-pip-version-check torch expecttest hypothesis scipy mypy safetensors
    # Alone: what it would bring along is for fetching models from elsewhere.
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps tokenizers
fi
.venv/bin/python -m pip install --quiet --disable-pip-version-check .
.venv/bin/python -m pytest -q crates/wengert-python/tests
