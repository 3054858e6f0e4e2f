"""What a CT is recognised by, wherever it lies: a digest of what its files hold."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from LungSegResNetLib.atomic import write_atomically
from LungSegResNetLib.digests import file_digest
from LungSegResNetLib.errors import InputError, OutputError
from LungSegResNetLib.files.dicom_image import may_be_dicom

from .case_files import files_of
from .dicom_kinds import CT, kind_of_file

_DIGITS = 16  # hexadecimal: 64 bits, so that no two scans of this world meet by chance


class CtDigests:
    """Digests of CTs, each of which is read once: it is known by place, size and time of its files.

    They are asked for again and again, and all slices of an archive are more than ``file_digest`` remembers.
    """

    def __init__(self, known: Mapping[str, str] | None = None) -> None:
        self.known = dict(known or {})

    def of(self, ct: Path) -> str:
        """Digest of a CT, whatever its files are called; of a DICOM folder only the slices count.

        It is empty where they cannot be read; reading the case says why.
        """
        try:
            files = files_of(ct)
            states = [(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in files]
            key = short_digest(repr(states))
            if key not in self.known:
                digests = sorted(file_digest(path) for path in files if not ct.is_dir() or _is_slice(path))
                self.known[key] = short_digest("".join(digests)) if digests else ""
        except (OSError, InputError):
            return ""
        return self.known[key]


@contextmanager
def stored_digests(path: Path) -> Iterator[CtDigests]:
    """Digests that the file ``path`` keeps from one process to the next; it gets those that the block has read."""
    stored: Any = None
    with suppress(OSError, ValueError):
        stored = json.loads(path.read_text(encoding="utf-8"))
    known = {key: value for key, value in stored.items() if isinstance(value, str)} if isinstance(stored, dict) else {}
    digests = CtDigests(known)
    yield digests
    if digests.known != known:
        # A cache that may only be read serves, too.
        with suppress(OutputError), write_atomically(path, overwrite=True) as temporary:
            temporary.write_text(json.dumps(digests.known), encoding="utf-8")


def short_digest(text: str) -> str:
    """Digest of a text, as short as that of a CT."""
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]


def _is_slice(path: Path) -> bool:
    return may_be_dicom(path) and kind_of_file(path) in (CT, None)
