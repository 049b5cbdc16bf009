"""The amortized agent: trained over many networks, it designs accelerators for any other."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from search.agent import Args, HardwareAgent
from search.evaluator import Evaluation
from search.network_features import FEATURES, network_features
from search.reward import reward
from sim.cost.area import area
from sim.cost.objective import Objective
from sim.realizability import check
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.errors import DesignFileError
from sim.spec.network import Network
from sim.spec.npz import npz_bytes, read_arrays
from sim.spec.spaces import HardwareSpace

__all__ = ["AGENT_FILE", "AmortizedAgent", "Evaluate", "FeatureScale"]

AGENT_FILE = "agent.npz"
"""File that a search with an amortized agent leaves."""

Evaluate = Callable[[int, Sequence[AcceleratorConfig]], list[Evaluation]]
"""Costs of accelerators on the network of an index."""

_FAR = 4.0
"""Spreads from the mean at which a feature is cut off: a network may be unlike all of the training."""

_EXAMPLES = 32
"""Networks whose best designs are shown to the policy in a gradient step."""

_LIMIT_BYTES = 1 << 26
_POLICY = "policy."


@dataclass(frozen=True, slots=True, eq=False)
class FeatureScale:
    """Mean and spread of features, float64[:data:`FEATURES`] each, that become 0 and 1 to an agent."""

    mean: NDArray[np.float64]
    spread: NDArray[np.float64]

    @classmethod
    def of(cls, networks: Sequence[Network]) -> "FeatureScale":
        """Scale of some networks, which are like those that the agent is to learn from."""
        features = np.stack([network_features(network) for network in networks]).astype(np.float64)
        spread = features.std(0)
        return cls(features.mean(0), np.where(spread > 1e-6, spread, 1.0))

    def __call__(self, network: Network) -> NDArray[np.float32]:
        """Features of a network on this scale: float32[FEATURES]."""
        scaled = (network_features(network) - self.mean) / self.spread
        return scaled.clip(-_FAR, _FAR).astype(np.float32)


class AmortizedAgent:
    """A :class:`search.agent.HardwareAgent` that is told a network's features, and has a memory.

    A policy for many networks settles on a design that suits most of them, and then samples nothing
    else. So the best design of each network that it was trained on is remembered and shown to the
    policy, and half as many designs as the policy proposes are tried beside: best designs of other
    networks, and the network's own with another value of a field. They only enter the memory.

    Parameters
    ----------
    hardware : HardwareSpace
    objective : Objective
    scale : FeatureScale
    args : Args
    seed : int
    """

    def __init__(
        self,
        hardware: HardwareSpace,
        objective: Objective,
        scale: FeatureScale,
        args: Args,
        *,
        seed: int,
    ) -> None:
        self.hardware, self.objective = hardware, objective
        self.scale, self.args = scale, args
        self._agent = HardwareAgent(hardware.sizes, FEATURES, args, seed=seed)
        self._memory = _Memory(hardware.sizes, seed)

    def learn(self, networks: Sequence[Network], evaluate: Evaluate) -> float:
        """One update, its designs shared by the networks; return their mean reward.

        ``evaluate`` is also asked for the space's default, from which rewards are measured.
        """
        rows = np.arange(self.args.batch) % len(networks)
        contexts = np.stack([self.scale(network) for network in networks])
        tries = max(1, self.args.batch // (2 * len(networks)))

        def rewards_of(actions: NDArray[np.int64]) -> NDArray[np.float64]:
            rewards = np.zeros(len(actions))
            for i in range(len(networks)):
                mine = np.flatnonzero(rows == i)
                points = actions[mine].tolist() + self._memory.tries(contexts[i], tries)
                configs = [self.hardware.config(point) for point in points]
                reference, *proposed = evaluate(i, [self.hardware.default, *configs])
                earned = [reward(self.objective, row, reference) for row in proposed]
                self._memory.add(contexts[i], points, earned)
                rewards[mine] = earned[: len(mine)]
            return rewards

        return self._agent.learn(contexts[rows], rewards_of, self._memory.examples)

    def best_guess(self, network: Network) -> AcceleratorConfig:
        """Most probable accelerator."""
        return self.hardware.config(self._agent.best_guess(self.scale(network)).tolist())

    def designs(self, network: Network, count: int) -> list[AcceleratorConfig]:
        """Most probable accelerators, at most ``count``, by falling probability.

        Those alone that can be generated and keep the area budget: both follow from the fields, and
        take no evaluation.
        """
        guesses = self._agent.best_guesses(self.scale(network), max(4 * count, self.args.beam))
        designs = []
        for guess in guesses.tolist():
            config = self.hardware.config(guess)
            if area(config).total <= self.objective.area_budget and not check(config):
                designs.append(config)
        return designs[:count]

    def state_dict(self) -> dict[str, Any]:
        """All that decides what the agent does from here on."""
        return {"agent": self._agent.state_dict(), "memory": self._memory.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what :meth:`state_dict` returned."""
        self._agent.load_state_dict(state["agent"])
        self._memory.load_state_dict(state["memory"])

    def to_bytes(self) -> bytes:
        """Content of a file from which :meth:`load` makes an agent that answers alike."""
        policy = self._agent.policy.state_dict()
        about = json.dumps(_about(self.hardware, self.objective), sort_keys=True).encode()
        return npz_bytes(
            {
                "about": np.frombuffer(about, np.uint8),
                "mean": self.scale.mean,
                "spread": self.scale.spread,
                **{_POLICY + name: tensor.numpy() for name, tensor in policy.items()},
            }
        )

    @classmethod
    def load(cls, path: Path, hardware: HardwareSpace, objective: Objective) -> "AmortizedAgent":
        """Read an agent, which answers, for a space and an objective.

        Raises
        ------
        DesignFileError
            If it is no such file, or was trained for another space or objective.
        """
        arrays = read_arrays(path, "agent", finite=True, limit_bytes=_LIMIT_BYTES)
        about = arrays.get("about", np.zeros(0, np.uint8)).tobytes()
        wanted = _about(hardware, objective)
        try:
            given = json.loads(about)
        except (ValueError, RecursionError):
            given = None
        if not isinstance(given, dict) or set(given) != set(wanted):
            raise DesignFileError(f"agent {path} must be a file that a search with an agent left")
        for name, value in wanted.items():
            if given[name] != value:
                raise DesignFileError(f"agent {path} must be trained for the same {name}")
        try:
            scale = FeatureScale(arrays["mean"], arrays["spread"])
            args = Args(hidden=len(arrays[f"{_POLICY}inner.bias"]))
            agent = cls(hardware, objective, scale, args, seed=0)
            policy = {
                name.removeprefix(_POLICY): torch.from_numpy(array)
                for name, array in arrays.items()
                if name.startswith(_POLICY)
            }
            agent._agent.policy.load_state_dict(policy)
            if scale.mean.shape != (FEATURES,) or scale.spread.shape != (FEATURES,):
                raise ValueError("other features")
        except (KeyError, RuntimeError, TypeError, ValueError):
            raise DesignFileError(
                f"agent {path} must have the arrays of an agent of {FEATURES} features"
            ) from None
        return agent


class _Memory:
    """Best action of each context so far, with its reward, in the order of the contexts."""

    def __init__(self, sizes: Sequence[int], seed: int) -> None:
        self._sizes = tuple(sizes)
        self._random = np.random.default_rng(seed)
        self._best: dict[bytes, tuple[float, list[int]]] = {}

    def add(
        self, context: NDArray[np.float32], actions: list[list[int]], rewards: list[float]
    ) -> None:
        """Remember the best action, unless a better is known."""
        best = max(range(len(rewards)), key=rewards.__getitem__)
        known = self._best.get(context.tobytes())
        if known is None or rewards[best] > known[0]:
            self._best[context.tobytes()] = rewards[best], actions[best]

    def tries(self, context: NDArray[np.float32], count: int) -> list[list[int]]:
        """Draw best actions of other contexts, and this context's with another field, in turns."""
        known = list(self._best.values())
        mine = self._best.get(context.tobytes())
        drawn = []
        for i in range(count if known else 0):
            if i % 2 or mine is None:
                drawn.append(known[int(self._random.integers(len(known)))][1])
            else:
                field = int(self._random.integers(len(self._sizes)))
                value = int(self._random.integers(self._sizes[field]))
                drawn.append([*mine[1][:field], value, *mine[1][field + 1 :]])
        return drawn

    def examples(self) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Draw contexts and their best actions."""
        known = list(self._best.items())
        drawn = [known[i] for i in self._random.integers(len(known), size=_EXAMPLES)]
        contexts = np.stack([np.frombuffer(key, np.float32) for key, _ in drawn])
        return contexts, np.array([action for _, (_, action) in drawn])

    def state_dict(self) -> dict[str, Any]:
        """All that is known, and the state of the draws."""
        contexts = [np.frombuffer(key, np.float32) for key in self._best]
        return {
            "contexts": torch.from_numpy(np.stack(contexts)) if contexts else None,
            "best": [list(pair) for pair in self._best.values()],
            "random": json.dumps(self._random.bit_generator.state),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what :meth:`state_dict` returned."""
        contexts = [] if state["contexts"] is None else state["contexts"].numpy()
        self._best = {
            context.tobytes(): (reward, action)
            for context, (reward, action) in zip(contexts, state["best"], strict=True)
        }
        self._random.bit_generator.state = json.loads(state["random"])


def _about(hardware: HardwareSpace, objective: Objective) -> dict[str, Any]:
    """State what an agent is trained for, as JSON."""
    return {
        "space": hardware.to_json(),
        "metric": objective.metric,
        "budgets": objective.budgets,
    }
