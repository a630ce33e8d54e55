"""Exports the deployable module as `model.pt2` (torch.export), which is to follow TorchScript; on request."""

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor
from torch.export import Dim

from export.graphs.deployable import Deployable


def write_exported_program(module: Deployable, example: Tensor, max_batch: int, path: Path) -> None:
    """Save `module` for any batch up to `max_batch`; `example` is uint8 [N >= 2, H, W, 3]."""
    batch = Dim("batch", min=1, max=max(2, max_batch))
    program = torch.export.export(module, (example,), dynamic_shapes={"images_nhwc": {0: batch}})
    torch.export.save(program, path)


def load_exported_program(path: Path) -> Callable[[Tensor], tuple[Tensor, Tensor, Tensor]]:
    """The module in `path`, whose training mode can't be changed any more."""
    return torch.export.load(path).module()
