"""One of several training processes, as ``torchrun`` starts them, or the only one."""

from __future__ import annotations

import datetime
import gc
import os
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import distributed

from LungSegResNetLib.errors import DeviceError, LungSegError, UsageError

T = TypeVar("T")

_SET_BY_TORCHRUN = ("RANK", "MASTER_ADDR", "MASTER_PORT")
# Others wait while the first process validates, or reads a large data set for the first time.
_PATIENCE = datetime.timedelta(hours=12)


@dataclass(frozen=True)
class Processes:
    """The place of this process among all of a run.

    Attributes
    ----------
    rank, count : number of this process and how many there are, on all machines.
    local_rank : number on this machine, which is also the number of its graphics card.
    """

    rank: int = 0
    count: int = 1
    local_rank: int = 0

    @property
    def first(self) -> bool:
        """Whether this process writes files and reports."""
        return self.rank == 0

    def device(self, device: str) -> str:
        """``cuda`` with the number of this process' card."""
        return f"{device}:{self.local_rank}" if device == "cuda" and self.count > 1 else device

    def from_first(self, value: Any) -> Any:
        """The first process' value, in all processes."""
        if self.count == 1:
            return value
        values = [value]
        distributed.broadcast_object_list(values, src=0)
        return values[0]

    def of_all(self, value: T) -> list[T]:
        """The values of all processes, in all of them, by rank."""
        values = [value] * self.count
        if self.count > 1:
            distributed.all_gather_object(values, value)
        return values

    def sum(self, value: float, device: torch.device) -> float:
        """The sum of a number over all processes."""
        if self.count == 1:
            return value
        total = torch.tensor(value, dtype=torch.float64, device=device)
        distributed.all_reduce(total)
        return float(total)

    def take_from_first(self, tensors: Sequence[torch.Tensor]) -> None:
        """Give tensors the values that they have in the first process."""
        if self.count == 1 or not tensors:
            return
        values = torch.cat([tensor.detach().flatten() for tensor in tensors])
        distributed.broadcast(values, src=0)
        with torch.no_grad():
            for tensor, part in zip(tensors, values.split([one.numel() for one in tensors]), strict=True):
                tensor.copy_(part.view(tensor.shape))

    @contextmanager
    def one_per_machine_first(self) -> Iterator[None]:
        """A block that one process of each machine goes through before the others, who find its files there."""
        if self.count > 1 and self.local_rank > 0:
            distributed.barrier()
        yield
        if self.count > 1 and self.local_rank == 0:
            distributed.barrier()


@contextmanager
def joined_processes(device: str) -> Iterator[Processes]:
    """Join the processes that ``torchrun`` started, over NCCL on CUDA and Gloo on CPU; alone without ``torchrun``.

    Raises
    ------
    UsageError : the device cannot be shared between processes, or the processes were not numbered.
    DeviceError : there are more processes on this machine than graphics cards.
    """
    if os.environ.get("WORLD_SIZE", "1") == "1":
        yield Processes()
        return
    if missing := [name for name in _SET_BY_TORCHRUN if name not in os.environ]:
        raise UsageError(
            f"WORLD_SIZE is set and {' and '.join(missing)} not: start several processes with torchrun, or unset "
            "WORLD_SIZE."
        )
    try:
        rank, count, local_rank = (int(os.environ.get(name, "0")) for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"))
    except ValueError as error:
        raise UsageError(
            "RANK, WORLD_SIZE or LOCAL_RANK is not a number: start several processes with torchrun, or unset them."
        ) from error
    processes = Processes(rank, count, local_rank)
    if device == "mps":
        raise UsageError("Several processes can train on CUDA or CPU only; choose --device cpu or do not use torchrun.")
    if device == "cuda":
        if processes.local_rank >= torch.cuda.device_count():
            raise DeviceError(
                f"There are {torch.cuda.device_count()} GPUs for more processes; "
                "start as many with torchrun --nproc-per-node."
            )
        torch.cuda.set_device(processes.local_rank)
    distributed.init_process_group("nccl" if device == "cuda" else "gloo", timeout=_PATIENCE)
    try:
        yield processes
    except LungSegError as error:
        # Threads of Gloo that are still there when Python ends abort the process now and then. Where memory ran out,
        # gradients may be on their way: leaving would wait for the others, and torchrun, which ends them, for this one.
        if device != "cuda" and not isinstance(error, DeviceError):
            traceback.clear_frames(error.__traceback__)
            _leave()
        raise
    _leave()


def _leave() -> None:
    gc.collect()  # what shared the gradients has circular references, and would keep the group's threads to the end
    distributed.destroy_process_group()
