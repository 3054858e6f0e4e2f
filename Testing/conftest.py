"""Shared by all tests: the test-data makers and the packages on the path, and the host of the modules."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from slicer_host import Host

# The packages too, though they are installed: the folders of tests bear their names, and Python takes a folder for
# a package without ``__init__`` where an editable installation comes later in the search than the path.
_HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(_HERE.parent / "LungSegResNet"), str(_HERE.parent / "LungSegResNetTraining"), str(_HERE)]


@pytest.fixture(scope="session")
def running_host() -> Iterator[Host]:
    """One application and one scene for all tests of the modules."""
    os.environ["QT_QPA_PLATFORM"] = "offscreen"
    from slicer_host import start

    yield start()
    from LungSegResNetWidgets import worker_process

    for process in tuple(worker_process._alive):  # that which waits, and those that have not ended yet
        process.endAndWait()


@pytest.fixture
def callback_errors() -> Iterator[list[str]]:
    """Tracebacks of exceptions in what Qt and VTK call: they print them and go on."""
    errors: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "excepthook", lambda *error: errors.append("".join(traceback.format_exception(*error))))
        yield errors


@pytest.fixture
def host(running_host: Host, callback_errors: list[str], request: pytest.FixtureRequest) -> Iterator[Host]:
    """The host with an empty scene; a question, file dialog or exception that the test does not expect is an error."""
    failures = request.session.testsfailed
    running_host.slicer.mrmlScene.Clear(False)
    running_host.loadModule("LungSegResNet")
    running_host.loadModule("LungSegResNetTraining")
    told = (running_host.questions, running_host.selected, running_host.opened)
    for entries in (running_host.answers, running_host.files, *told):
        entries.clear()
    yield running_host
    from LungSegResNetWidgets.worker_process import endKeptProcesses
    from processes import kept_for_the_next_test

    failed = request.session.testsfailed > failures  # perhaps because of the process
    with nullcontext() if failed else kept_for_the_next_test():
        endKeptProcesses()  # and waits for those that were cancelled
    assert running_host.answers == []
    assert running_host.files == []
    running_host.slicer.mrmlScene.Clear(False)
    assert callback_errors == []


@pytest.fixture(scope="session")
def quick_network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network file that takes little time, for tests of what is done around the network."""
    from network_files import write_quick_network

    return write_quick_network(tmp_path_factory.mktemp("network") / "quick.safetensors")


@pytest.fixture
def little_card_memory() -> Iterator[None]:
    """Only 2 GB of the graphics card, as if other programs held the rest."""
    import torch

    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(2e9 / torch.cuda.get_device_properties(0).total_memory)
    yield
    torch.cuda.set_per_process_memory_fraction(1.0)
