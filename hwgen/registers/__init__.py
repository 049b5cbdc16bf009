"""The register map with its fields, and the forms in which others read it."""
