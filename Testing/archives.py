"""Small archives of phantoms, and accidents that befall the processes that segment them."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import SimpleITK as sitk
from synthetic_thorax import Thorax

from LungSegResNetLib.jobs.reporting import CaseEvent, NullReporter
from LungSegResNetLib.jobs.summary_file import read_summary


def write_archive(folder: Path, names: str) -> Path:
    """A phantom of 6 slices for each letter, at ``<folder>/<letter>.nii.gz``; returns the folder."""
    folder.mkdir(parents=True)
    image, _ = Thorax().scan((4.0, 4.0, 20.0), (400.0, 300.0, 120.0))
    for name in names:
        sitk.WriteImage(image, str(folder / f"{name}.nii.gz"))
    return folder


class Record(NullReporter):
    """Keeps the events of cases."""

    def __init__(self) -> None:
        self.events: list[CaseEvent] = []

    def case(self, event: CaseEvent) -> None:
        self.events.append(event)

    def statuses(self, case: str) -> list[str]:
        """All that was told about a case."""
        return [event.status for event in self.events if event.case == case]


@contextmanager
def killer(output: Path, times: dict[str, int], beside: str = "") -> Iterator[None]:
    """Kill the process that has begun with a case, so many times for each case.

    ``beside`` names cases that it is given a moment to begin, too.
    """
    left = dict(times)
    seen: set[int] = set()
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.005):
            for case in [case for case, count in left.items() if count]:
                try:
                    row = json.loads((output / f"{case}.summary.json").read_text())
                except OSError:
                    continue
                if row["status"] == "started" and row["process"] not in seen:
                    seen.add(row["process"])
                    _wait_for_all_begun(output, beside, row["process"])
                    psutil.Process(row["process"]).kill()
                    left[case] -= 1

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _wait_for_all_begun(output: Path, cases: str, process: int) -> None:
    end = time.monotonic() + 0.3
    while time.monotonic() < end:
        rows = [read_summary(output / f"{case}.summary.json") for case in cases]
        if all(row.get("process") == process for row in rows):
            return
        time.sleep(0.005)
