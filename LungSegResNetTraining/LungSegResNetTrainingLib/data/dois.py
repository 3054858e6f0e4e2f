"""DOIs as people write them into case lists."""

from __future__ import annotations

import re

_BEFORE = re.compile(r"^(https?://)?(dx\.|www\.)?(doi\.org/|doi:\s*)", re.IGNORECASE)


def plain_doi(written: str) -> str:
    """The DOI alone, such as ``10.1/x`` of ``https://doi.org/10.1/x`` or ``doi:10.1/x``; other text as it is."""
    return _BEFORE.sub("", written.strip())


def address_of(doi: str) -> str:
    """Where the data of a DOI are found; an address that is none of a DOI stands for itself."""
    return doi if doi.startswith(("https://", "http://")) else f"https://doi.org/{doi}"
