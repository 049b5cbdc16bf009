"""Random and named networks, and random models of other formats, to run and to import."""
