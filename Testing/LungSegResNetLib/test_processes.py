from __future__ import annotations

import os
import subprocess
import sys

from LungSegResNetLib.processes import is_running


def test_a_process_runs_until_it_ends() -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    assert is_running(process.pid)
    assert process.poll() is None  # asking did not end it
    process.communicate()
    assert not is_running(process.pid)


def test_processes_of_others_run_too() -> None:
    assert is_running(os.getppid())
    if sys.platform != "win32":
        assert is_running(1)


def test_numbers_that_are_no_process_do_not_run() -> None:
    for number in (0, -1, 2**31 - 1, 2**31, 10**30):
        assert not is_running(number)
