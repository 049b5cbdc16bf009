"""TensorFlow Lite models in, networks of integer layers out."""
