"""The LOAD and STORE units: tiles and weights between external and local memories."""
