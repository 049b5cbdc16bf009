"""The public API, one noun to a file; :mod:`cosilico` exports its names."""
