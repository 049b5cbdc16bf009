"""Networks made elsewhere: readers, their lowering to the shared vocabulary, the host's steps."""
