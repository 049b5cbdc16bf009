"""Independent views of the same results: interpreters, emulators, twins and proofs."""
