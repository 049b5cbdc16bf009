"""A learned cost model: what a network costs on an accelerator, from what was chosen for both."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from search.device import place_of, placed

__all__ = ["CostNetwork"]

_HIDDEN = 256
_LAYERS = 3
_DROPOUT = 0.1
_BATCH = 128
_STEP_SIZE = 1e-3


class CostNetwork(nn.Module):
    """NAHAS's cost model: three hidden layers of 256 units, dropout of 0.1, and two heads.

    Inputs are one-hot choices. The heads give the standardized logarithms of cost and area: costs
    span orders of magnitude, and their ratios matter. Trained with Adam on the mean squared error of
    both heads, which count alike. Dropout draws from a generator of its own on the CPU, so that a
    training that was stopped goes on alike.

    Parameters
    ----------
    inputs : int
        Number of choices.
    seed : int
        Of the weights, the order of the labels and the dropout.

    Members
    -------
    hidden : nn.ModuleList
    cost, area : nn.Linear
        The heads.
    centre, spread : buffer float32[2]
        Mean and standard deviation of the logarithms of the labels.
    """

    centre: Tensor
    spread: Tensor

    def __init__(self, inputs: int, *, seed: int) -> None:
        super().__init__()
        self.generator = torch.Generator().manual_seed(seed)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            widths = [inputs, *[_HIDDEN] * _LAYERS]
            self.hidden = nn.ModuleList(map(nn.Linear, widths, widths[1:]))
            self.cost = nn.Linear(_HIDDEN, 1)
            self.area = nn.Linear(_HIDDEN, 1)
        self.register_buffer("centre", torch.zeros(2))
        self.register_buffer("spread", torch.ones(2))
        placed(self)
        self._optimizer = torch.optim.Adam(self.parameters(), lr=_STEP_SIZE)

    def forward(self, choices: Tensor) -> Tensor:
        """Standardized logarithms float32[n, 2] of one-hot choices float32[n, inputs]."""
        x = choices.to(place_of(self))
        for layer in self.hidden:
            x = torch.relu(layer(x))  # [n, 256]
            if self.training:
                kept = torch.rand(x.shape, generator=self.generator) >= _DROPOUT
                x = x * kept.to(x.device) / (1 - _DROPOUT)
        return torch.cat([self.cost(x), self.area(x)], 1).to(choices.device)

    def standardize(self, costs: NDArray[np.float64]) -> None:
        """Take centre and spread from labels float64[n, 2], before they are learned."""
        logs = np.log(costs)
        spread = logs.std(0)
        place = place_of(self)
        self.centre = torch.from_numpy(logs.mean(0)).float().to(place)
        self.spread = torch.from_numpy(np.where(spread > 0, spread, 1.0)).float().to(place)

    def epoch(self, choices: NDArray[np.float32], costs: NDArray[np.float64]) -> float:
        """Learn from labels float64[n, 2] of one-hot choices [n, inputs] once; return the mean loss."""
        self.train()
        inputs = torch.from_numpy(choices)
        logs = torch.from_numpy(np.log(costs)).float()
        targets = (logs - self.centre.cpu()) / self.spread.cpu()
        total = 0.0
        for part in torch.split(torch.randperm(len(inputs), generator=self.generator), _BATCH):
            loss = (self(inputs[part]) - targets[part]).square().mean()
            self._optimizer.zero_grad()
            loss.backward()
            self._optimizer.step()
            total += float(loss.detach()) * len(part)
        return total / len(inputs)

    @torch.no_grad()
    def predict(self, choices: NDArray[np.float32]) -> NDArray[np.float64]:
        """Cost and area float64[n, 2] of one-hot choices float32[n, inputs]."""
        self.eval()
        logs = self(torch.from_numpy(choices)) * self.spread.cpu() + self.centre.cpu()
        costs: NDArray[np.float64] = np.exp(logs.double().numpy())
        return costs

    def training_state(self) -> dict[str, Any]:
        """Weights, and all that decides how the training goes on."""
        return {
            "weights": self.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "generator": self.generator.get_state(),
        }

    def load_training_state(self, state: dict[str, Any]) -> None:
        """Continue from what :meth:`training_state` returned."""
        self.load_state_dict(state["weights"])
        self._optimizer.load_state_dict(state["optimizer"])
        self.generator.set_state(state["generator"])
