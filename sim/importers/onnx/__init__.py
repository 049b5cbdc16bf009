"""Quantized ONNX models in, networks of integer layers out."""
