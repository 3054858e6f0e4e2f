"""``lungsegresnet info MODEL|CT``."""

from __future__ import annotations

import argparse
from pathlib import Path

from .values import given_path

SUMMARY = "describe a network file or a CT"
_MOST_LISTED = 12  # of the names of cases


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the subcommand."""
    parser.add_argument("path", type=given_path, nargs="?", help="network file or CT (default: the shipped network)")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(options: argparse.Namespace) -> int:
    """Describe the file and print."""
    import json

    from ..network.model_file import NETWORK_ENDINGS, default_model_path

    path = options.path or default_model_path()
    values = _model(path) if path.suffix.lower() in NETWORK_ENDINGS else _ct(path)
    print(json.dumps(values, indent=2) if options.json else _as_text(values))
    return 0


def _model(path: Path) -> dict[str, object]:
    from dataclasses import asdict

    from ..network.model_file import read_card

    card = asdict(read_card(path))
    # What a user of the network has to know comes first, how it was trained last.
    first = {name: card.pop(name) for name in ("name", "version", "description", "limits", "licence", "figures")}
    training = card.pop("training")
    settings = {"settings": training.pop("settings")} if "settings" in training else {}
    return {"file": str(path), "kind": "network", **first, **card, "training": training | settings}


def _ct(path: Path) -> dict[str, object]:
    import os
    from dataclasses import asdict

    from ..files.dicom_headers import list_series
    from ..files.reading import read_ct

    is_folder = os.path.isdir(path)
    series = [asdict(entry) for entry in list_series(path)] if is_folder else []
    if len(series) > 1:
        return {"file": str(path), "kind": "DICOM folder with several series", "series": series}
    ct, warnings = read_ct(path)
    return {
        "file": str(path),
        "kind": "CT",
        "size (voxels)": list(ct.native.size),
        "spacing (mm)": [round(value, 4) for value in ct.native.spacing],
        "origin (mm, LPS)": [round(value, 3) for value in ct.native.origin],
        "orientation": ct.native.orientation,
        "HU range": [int(ct.hu.min()), int(ct.hu.max())],
        "series": series,
        "warnings": warnings,
    }


def _as_text(values: dict[str, object], indent: str = "") -> str:
    lines = []
    for key, value in values.items():
        if isinstance(value, dict) and value:
            lines += [f"{indent}{key}:", _as_text(value, indent + "  ")]
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            lines.append(f"{indent}{key}:")
            for number, entry in enumerate(value, 1):
                told = (f"{name} {entry[name]}" for name in entry if entry[name] not in (None, ""))
                lines.append(f"{indent}  {number}: " + ", ".join(told))
        elif isinstance(value, list) and value and (isinstance(value[0], list) or len(value) > _MOST_LISTED):
            lines.append(f"{indent}{key}: {len(value)} (--json lists them)")
        elif isinstance(value, (list, tuple)) and any(" " in str(entry) for entry in value):
            lines += [f"{indent}{key}:", *(f"{indent}  - {entry}" for entry in value)]
        elif value not in (None, "", [], {}):
            shown = ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else value
            lines.append(f"{indent}{key}: {shown}")
    return "\n".join(lines)
