"""PyTorch modules and saved programs in, quantized networks out."""
