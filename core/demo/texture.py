"""A side lesson for a small vision tower: tell colour and texture of what it sees.

A forest on such statistics of a crop judges real photos well, so a tower whose tokens carry them has something to judge
by before it has seen a photo. Each token is asked for its own statistics, and for mean and spread of its picture's.

Legend for shapes: N patches of a batch, T tokens (four patches each), S statistics.
"""

from __future__ import annotations

import torch

PATCH = 14
STATISTICS = 17


def token_statistics(values: torch.Tensor) -> torch.Tensor:
    """Patches (N, 3 * 2 * 14 * 14) as the processor orders them -> (T, S): mean and spread of the three colours, grey
    of the quarters, excess of green and its spread, the darkest grey, steps down and across, fine and coarse."""
    quarters = values.reshape(-1, 2, 2, 3, 2, PATCH, PATCH)[:, :, :, :, 0]
    token = quarters.permute(0, 3, 1, 4, 2, 5).reshape(-1, 3, 2 * PATCH, 2 * PATCH)
    grey = token.mean(1)
    green = 2 * token[:, 1] - token[:, 0] - token[:, 2]
    steps = [(grey[:, gap:] - grey[:, :-gap]).abs().mean((1, 2)) for gap in (1, 5)]
    steps += [(grey[:, :, gap:] - grey[:, :, :-gap]).abs().mean((1, 2)) for gap in (1, 5)]
    corners = quarters.mean((3, 4, 5)).reshape(-1, 4)
    own = [token.mean((2, 3)), token.std((2, 3)), corners, green.mean((1, 2))[:, None], green.std((1, 2))[:, None]]
    dark = torch.stack([grey.amin((1, 2))], 1)
    return torch.cat([*own, dark, torch.stack(steps, 1)], 1)


def targets(values: torch.Tensor, grid_thw: torch.Tensor) -> torch.Tensor:
    """What each token is asked for (T, 3 S): its own statistics, their mean and their spread over its picture."""
    own = token_statistics(values)
    lengths = (grid_thw.prod(-1) // 4).tolist()
    wanted = []
    for part in own.split(lengths):
        middle, spread = part.mean(0), part.std(0, correction=0)
        wanted.append(torch.cat([part, middle.expand_as(part), spread.expand_as(part)], 1))
    return torch.cat(wanted)


class Teller(torch.nn.Module):
    """A linear layer from tokens (T, width) to statistics, thrown away after pretraining."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.tell = torch.nn.Linear(width, 3 * STATISTICS)
        self.scale: tuple[torch.Tensor, torch.Tensor] | None = None

    def loss(self, tokens: torch.Tensor, values: torch.Tensor, grid_thw: torch.Tensor) -> torch.Tensor:
        """Smooth L1 distance to the statistics, each scaled by mean and spread of the first batch."""
        wanted = targets(values, grid_thw)
        if self.scale is None:
            self.scale = (wanted.mean(0), wanted.std(0) + 1e-3)
        wanted = ((wanted - self.scale[0]) / self.scale[1]).clamp(-4, 4)
        return torch.nn.functional.smooth_l1_loss(self.tell(tokens), wanted)
