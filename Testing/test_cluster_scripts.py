"""The scripts for Slurm in the documents."""

from __future__ import annotations

import re
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
PAGES = [*REPOSITORY.glob("*.md"), *REPOSITORY.glob("docs/*.md")]


def scripts() -> list[str]:
    """Blocks of code of all pages that begin as a batch script does."""
    blocks = [block for page in PAGES for block in re.findall(r"(?:^    .*\n)+", page.read_text("utf-8"), re.MULTILINE)]
    return [block for block in blocks if block.startswith("    #!")]


def test_every_srun_gets_the_cores_of_its_task() -> None:
    # Since Slurm 22.05 a step does not inherit --cpus-per-task of the job: without this it has one core.
    with_srun = [script for script in scripts() if "srun " in script]
    assert with_srun
    for script in with_srun:
        before = script.partition("srun ")[0]
        assert "export SRUN_CPUS_PER_TASK=$SLURM_CPUS_PER_TASK\n" in before, script


def test_a_job_array_does_all_parts_also_where_one_job_is_submitted_again() -> None:
    # $SLURM_ARRAY_TASK_COUNT is 1 in an array of the one job that failed, so the number of parts has to be written out.
    arrays = [script for script in scripts() if "--array" in script]
    assert arrays
    for script in arrays:
        jobs = re.search(r"--array=1-(\d+)\n", script)
        parts = re.search(r"--shard \$SLURM_ARRAY_TASK_ID/(\d+)\n", script)
        assert jobs is not None, script
        assert parts is not None, script
        assert jobs[1] == parts[1], script
