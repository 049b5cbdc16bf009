"""The command line, the flow that ties the stages together, and the report."""

__all__ = ["__version__"]

__version__ = "0.1.0"
