"""PyTorch modules that are imported, as rows of the page of supported operators."""

from dataclasses import dataclass

__all__ = ["MODULES", "ModuleRow"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleRow:
    """Modules that are read alike.

    Parameters
    ----------
    modules : str
        As PyTorch calls them.
    becomes, conditions : str
    operators : tuple of str
        Operators that they are decomposed to, of which no other row has said so: core ATen's, unless another library is named.
    """

    modules: str
    becomes: str
    conditions: str
    operators: tuple[str, ...]


MODULES = (
    ModuleRow(
        modules="`Conv2d`, `Conv1d`",
        becomes="`conv`, `depthwise`, with zeros between taps if dilated; other groups a `conv` with zeros between groups or a "
        "`depthwise` of repeated channels, whichever takes fewer products; a signal is an image of height 1",
        conditions="",
        operators=("convolution.default",),
    ),
    ModuleRow(
        modules="`Linear`",
        becomes="`fully_connected`",
        conditions="of a vector or a flattened image",
        operators=("addmm.default", "mm.default"),
    ),
    ModuleRow(
        modules="`BatchNorm1d`, `BatchNorm2d`",
        becomes="part of the layer before, else a 1×1 `depthwise`",
        conditions="in inference mode",
        operators=("_native_batch_norm_legit_no_training.default",),
    ),
    ModuleRow(
        modules="`ReLU`, `ReLU6`, `Hardtanh`, `clamp`",
        becomes="the clamp of the layer before, else of a 1×1 `max_pool`",
        conditions="",
        operators=(
            "relu.default", "hardtanh.default", "clamp.default", "clamp_min.default",
            "clamp_max.default",
        ),
    ),
    ModuleRow(
        modules="`+`, `torch.add`",
        becomes="`add`",
        conditions="two tensors of one shape",
        operators=("add.Tensor",),
    ),
    ModuleRow(
        modules="`AdaptiveAvgPool`, `AvgPool`, `mean`",
        becomes="`average_pool`, `global_average_pool`, `mean`; a `depthwise` where padding is counted or the divisor is another; "
        "where it is not, one for each number of rows and columns in the image, whose pixels are stored one over the other",
        conditions="",
        operators=("mean.dim", "avg_pool2d.default", "_adaptive_avg_pool2d.default"),
    ),
    ModuleRow(
        modules="`MaxPool`",
        becomes="`max_pool`",
        conditions="not: dilation, indices",
        operators=("max_pool2d_with_indices.default",),
    ),
    ModuleRow(
        modules="`AdaptiveMaxPool`, `amax`",
        becomes="`max_pool`, several where the image is larger than 7×7",
        conditions="over height and width together",
        operators=("adaptive_max_pool2d.default", "amax.default"),
    ),
    ModuleRow(
        modules="`ConvTranspose2d`, `ConvTranspose1d`",
        becomes="a `conv` for each row and column of a stride, a `depthwise` if each channel is a group; their pixels are stored in turn",
        conditions="not: dilation",
        operators=(),
    ),
    ModuleRow(
        modules="`Upsample`, `interpolate`",
        becomes="nearest a 1×1 `max_pool`, each of whose pixels is stored several times; bilinear a `depthwise` for each place between pixels",
        conditions="by whole factors; not: align_corners",
        operators=("upsample_nearest2d.vec", "upsample_bilinear2d.vec"),
    ),
    ModuleRow(
        modules="`torch.cat`",
        becomes="1×1 `conv` that copy, stored side by side",
        conditions="over channels, height or width",
        operators=("cat.default",),
    ),
    ModuleRow(
        modules="`ZeroPad`, `ConstantPad`",
        becomes="the padding of the convolution or pool behind it",
        conditions="of 0",
        operators=("constant_pad_nd.default",),
    ),
    ModuleRow(
        modules="`Flatten`, `Unflatten`, `squeeze`, `unsqueeze`, `Dropout`, `Identity`",
        becomes="nothing",
        conditions="shapes kept or flattened",
        operators=(
            "view.default", "_unsafe_view.default", "squeeze.dims", "squeeze.dim",
            "unsqueeze.default", "clone.default", "alias.default", "as_strided.default",
        ),
    ),
    ModuleRow(
        modules="`SiLU`, `Hardswish`, `Hardsigmoid`, `Sigmoid`, `Tanh`, `LeakyReLU`, `PReLU`, `ELU`, `CELU`, `SELU`, "
        "`GELU`, `Softplus`, `Mish`, `Softsign`, `LogSigmoid`, and what the like is written as",
        becomes="an activation table behind the layer before, or behind a `max_pool` of single pixels where others "
        "read that layer, too",
        conditions="an accelerator with `activation_table`; one slope for all channels; products and sums of a tensor "
        "and functions of it, or one number; of two tensors only products (below). Of programs that PT2E quantized: between "
        "dequantize and quantize",
        operators=(
            "abs.default", "add.Scalar", "div.Tensor", "elu.default", "exp.default", "expm1.default",
            "gelu.default", "gt.Scalar", "gt.Tensor", "leaky_relu.default", "log1p.default", "minimum.default",
            "mul.Scalar", "neg.default", "sub.Tensor", "tanh.default", "where.self",
        ),
    ),
    ModuleRow(
        modules="`*`, `torch.mul` of two tensors",
        becomes="`factors` of the vector, and `multiply`; of one shape nine layers with activation tables",
        conditions="of one shape, or one with a value for each channel of the other, as in squeeze-and-excitation, for each pixel or for all",
        operators=("mul.Tensor",),
    ),
    ModuleRow(
        modules="`Softmax`, `LogSoftmax`, `Sigmoid`",
        becomes="`softmax`, `log_softmax`, `logistic` on the host",
        conditions="at the end; over channels",
        operators=("_softmax.default", "_log_softmax.default", "sigmoid.default"),
    ),
    ModuleRow(
        modules="`quantize_per_tensor`, `dequantize_per_tensor`",
        becomes="the scale of the layer before, else a `depthwise` of one tap of 1",
        conditions="of programs that PT2E quantized; int8 or uint8, constant scales; weights "
        "int8 with zero point 0",
        operators=(
            "quantized_decomposed.quantize_per_tensor.default",
            "quantized_decomposed.dequantize_per_tensor.default",
        ),
    ),
)  # fmt: skip
"""Rows in the order of the page."""
