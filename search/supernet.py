"""Weight-sharing supernet: every architecture of a space, chosen by differentiable gates."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import batch_norm, conv2d, linear, one_hot, pad, relu6

from search.architecture import SKIP, Architecture, LayerShape, NetworkSpace
from search.children import Child, execute, padded
from search.device import place_of, placed
from sim.spec.network import LayerKind, Padding

__all__ = ["Supernet", "one_hot_gates", "sample_gates"]

Gates = Mapping[str, Tensor]
"""One weight per choice of every decision; one-hot in the forward pass."""


def one_hot_gates(space: NetworkSpace, architecture: Architecture) -> dict[str, Tensor]:
    """Gates that select one architecture."""
    choices = space.choices(architecture)
    return {
        name: one_hot(torch.tensor(choices[name]), len(values)).float()
        for name, values in space.decisions.items()
    }


def sample_gates(
    logits: Mapping[str, Tensor], *, temperature: float, generator: torch.Generator
) -> dict[str, Tensor]:
    """Straight-through Gumbel-softmax: a one-hot sample with the soft sample's gradient."""
    gates = {}
    for name, logit in logits.items():
        uniform = torch.rand(logit.shape, generator=generator).clamp_min(1e-9)
        noise = -torch.log(-torch.log(uniform))
        soft = torch.softmax((logit + noise) / temperature, 0)
        hard = one_hot(soft.argmax(), len(soft)).float()
        gates[name] = hard + soft - soft.detach()
    return gates


class SharedWeights(NamedTuple):
    """A layer's slices: convolution weight, batch normalization's gain and bias.

    A fully connected layer has no gain.
    """

    weight: Tensor
    gain: Tensor | None
    bias: Tensor


class Supernet(nn.Module):
    """All architectures of a space in one set of weights, at the largest size of each.

    Width and expansion choices mask channels (as FBNetV2), the small depthwise kernel is the
    centre of the large kernel (as once-for-all). Batch normalization uses the batch's statistics
    always: running statistics would mix architectures.
    """

    def __init__(self, space: NetworkSpace) -> None:
        super().__init__()
        self.space = space
        widths = [max(choices) for choices in space.stage_widths]
        self.stem = _ConvNorm(space.image[2], widths[0], kernel=3, stride=space.stem_stride)
        self._blocks = [
            _Block(space, i, widths[space.source_stage(i)], widths[block.stage])
            for i, block in enumerate(space.blocks)
        ]
        self.blocks = nn.ModuleList(self._blocks)
        largest = max(space.heads)
        if largest:
            self.head = _ConvNorm(widths[-1], largest)
            self.classifier = nn.Linear(largest, space.classes)
        if 0 in space.heads:
            self.headless_classifier = nn.Linear(widths[-1], space.classes)
        placed(self)

    def forward(self, images: Tensor, gates: Gates) -> Tensor:
        """Logits [N, classes] of images [N, C, H, W] under ``gates``, all on the images' device."""
        space, place = self.space, place_of(self)
        gates = {name: gate.to(place) for name, gate in gates.items()}
        masks = [
            _prefix_mask(gates[f"width{i}"], choices)
            for i, choices in enumerate(space.stage_widths)
        ]
        x = relu6(self.stem(_same(images.to(place), 3, space.stem_stride)))  # [N, w0, H, W]
        x = x * _spread(masks[0])
        # depthwise gradients take half the time in this layout on a CPU
        x = x.contiguous(memory_format=torch.channels_last)
        for i, block in enumerate(self._blocks):
            stage, source = space.blocks[i].stage, space.source_stage(i)
            y = block(x, gates[f"kernel{i}"], gates[f"expansion{i}"], masks[source])
            y = y * _spread(masks[stage])  # [N, width, P, Q]
            if space.may_skip(i):
                y = y * (1 - gates[f"expansion{i}"][0])
            x = x + y if space.has_residual(i) else y
        return self._classified(x, gates["head"]).to(images.device)

    def _classified(self, x: Tensor, gate: Tensor) -> Tensor:
        """Logits [N, classes] of the last block's output, with the heads that ``gate`` weighs."""
        heads = self.space.heads
        without: Tensor | None = None
        if 0 in heads:
            without = self.headless_classifier(x.mean((2, 3)))
            if max(heads) == 0:
                return without
        top = relu6(self.head(x)) * _spread(_prefix_mask(gate, heads))  # [N, head, P, Q]
        with_head: Tensor = self.classifier(top.mean((2, 3)))
        if without is None:
            return with_head
        none = gate[heads.index(0)]
        return with_head * (1 - none) + without * none

    def forward_architecture(self, images: Tensor, architecture: Architecture) -> Tensor:
        """Logits of one architecture: :meth:`forward` under its one-hot gates, in less time."""
        weights = self.shared_weights(architecture)

        def weighted(layer: LayerShape, x: Tensor) -> Tensor:
            weight, gain, bias = weights[layer.name]
            if layer.kind is LayerKind.FULLY_CONNECTED:
                return linear(x.flatten(1), weight, bias)[:, :, None, None]
            groups = len(weight) if layer.kind is LayerKind.DEPTHWISE else 1
            y = conv2d(padded(layer, x), weight, stride=layer.stride, groups=groups)
            y = batch_norm(y, None, None, gain, bias, training=True)
            return relu6(y) if layer.relu6 else y

        layers = self.space.layers(architecture)
        made = execute(layers, images.to(place_of(self)), weighted)
        return made[layers[-1].name].flatten(1).to(images.device)

    def shared_weights(self, architecture: Architecture) -> dict[str, SharedWeights]:
        """Slices of the weights that the architecture uses, by layer name."""
        widths = architecture.widths
        weights = {"stem": self.stem.slices(widths[0], self.space.image[2])}
        for i, block in enumerate(self._blocks):
            expansion = architecture.expansions[i]
            if expansion != SKIP:
                source = widths[self.space.source_stage(i)]
                target = widths[self.space.blocks[i].stage]
                parts = block.slices(architecture.kernels[i], expansion, source, target)
                weights |= {f"block{i}_{name}": part for name, part in parts.items()}
        last = widths[-1]
        if architecture.head:
            weights["head"] = self.head.slices(architecture.head, last)
            last, classifier = architecture.head, self.classifier
        else:
            classifier = self.headless_classifier
        weights["classifier"] = SharedWeights(classifier.weight[:, :last], None, classifier.bias)
        return weights

    @torch.no_grad()
    def inherit(self, child: Child, architecture: Architecture) -> None:
        """Copy the shared weights of ``architecture`` into its static child."""
        for name, (weight, gain, bias) in self.shared_weights(architecture).items():
            if gain is None:
                child.linear(name).weight.copy_(weight)
                child.linear(name).bias.copy_(bias)
            else:
                child.conv(name).weight.copy_(weight)
                child.norm(name).weight.copy_(gain)
                child.norm(name).bias.copy_(bias)


class _ConvNorm(nn.Module):
    """Convolution without padding, batch normalization by the batch."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 1, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, bias=False)
        self.norm = nn.BatchNorm2d(outputs, track_running_stats=False)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.norm(self.conv(x))
        return y

    def slices(self, outputs: int, inputs: int) -> SharedWeights:
        norm = self.norm
        return SharedWeights(
            self.conv.weight[:outputs, :inputs], norm.weight[:outputs], norm.bias[:outputs]
        )


class _Block(nn.Module):
    """Inverted residual. Hidden channel slot·inputs + c belongs to input channel c.

    Expansion e uses slots 0 … e-1; with e = 1 the depthwise convolution reads the input itself
    in slot 0.
    """

    def __init__(self, space: NetworkSpace, index: int, inputs: int, outputs: int) -> None:
        super().__init__()
        self.stride = space.blocks[index].stride
        self.kernels = space.block_kernels(index)
        self.expansions = space.decisions[f"expansion{index}"]
        self.slots = max(self.expansions)
        self.inputs = inputs
        hidden = inputs * self.slots
        if self.slots > 1:
            self.expand = _ConvNorm(inputs, hidden)
        self.depthwise = nn.Conv2d(
            hidden, hidden, max(self.kernels), self.stride, groups=hidden, bias=False
        )
        self.depthwise_norm = nn.BatchNorm2d(hidden, track_running_stats=False)
        self.project = _ConvNorm(hidden, outputs)

    def forward(self, x: Tensor, kernel: Tensor, expansion: Tensor, channels: Tensor) -> Tensor:
        slots = _prefix_mask(expansion, self.expansions)  # [slots]
        mask = _spread(torch.outer(slots, channels).flatten())  # [1, slots·C, 1, 1]
        hidden = _same(self._expanded(x, expansion) * mask, max(self.kernels), self.stride)
        weight = self.depthwise.weight * self._kernel_mask(kernel)
        y = conv2d(hidden, weight, stride=self.stride, groups=len(weight))
        y = relu6(self.depthwise_norm(y)) * mask  # [N, slots·C, P, Q]
        out: Tensor = self.project(y)
        return out

    def _expanded(self, x: Tensor, expansion: Tensor) -> Tensor:
        """Input of the depthwise convolution before its mask: [N, slots·C, H, W]."""
        if self.slots == 1:
            return x
        expanded = relu6(self.expand(x))
        if 1 not in self.expansions:
            return expanded
        direct = expansion[self.expansions.index(1)]
        first, rest = torch.tensor_split(expanded, (self.inputs,), 1)
        return torch.cat([direct * x + (1 - direct) * first, rest], 1)

    def _kernel_mask(self, gate: Tensor) -> Tensor:
        largest = max(self.kernels)
        mask = torch.zeros(largest, largest, device=gate.device)
        for weight, size in zip(gate, self.kernels, strict=True):
            edge = (largest - size) // 2
            mask = mask + weight * pad(torch.ones(size, size, device=gate.device), [edge] * 4)
        return mask

    def slices(
        self, kernel: int, expansion: int, source: int, target: int
    ) -> dict[str, SharedWeights]:
        def hidden(values: Tensor) -> Tensor:
            slots = values.reshape(self.slots, self.inputs, *values.shape[1:])
            return slots[:expansion, :source].flatten(0, 1)

        edge = (max(self.kernels) - kernel) // 2
        inner = slice(edge, edge + kernel)
        depthwise, project = self.depthwise_norm, self.project
        parts = {
            "depthwise": SharedWeights(
                hidden(self.depthwise.weight)[:, :, inner, inner],
                hidden(depthwise.weight),
                hidden(depthwise.bias),
            ),
            "project": SharedWeights(
                hidden(project.conv.weight.transpose(0, 1)).transpose(0, 1)[:target],
                project.norm.weight[:target],
                project.norm.bias[:target],
            ),
        }
        if expansion > 1:
            parts["expand"] = SharedWeights(
                hidden(self.expand.conv.weight)[:, :source],
                hidden(self.expand.norm.weight),
                hidden(self.expand.norm.bias),
            )
        return parts


def _prefix_mask(gate: Tensor, sizes: Sequence[int]) -> Tensor:
    """Sum over choices of gate · (first ``size`` of max(sizes) are 1)."""
    lengths = torch.tensor(sizes, device=gate.device)
    places = torch.arange(max(sizes), device=gate.device)
    prefixes = (places < lengths[:, None]).to(gate.dtype)  # [choices, max]
    return gate @ prefixes


def _spread(mask: Tensor) -> Tensor:
    return mask[None, :, None, None]


def _same(x: Tensor, kernel: int, stride: int) -> Tensor:
    """Images with the padding of a square window that leaves ceil(size / stride) outputs."""
    edge = Padding.same((x.shape[2], x.shape[3]), (kernel, kernel), (stride, stride))
    return pad(x, (edge.left, edge.right, edge.top, edge.bottom))
