"""Folders in which an emitted accelerator runs a program without any of this project installed."""
