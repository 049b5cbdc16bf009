"""Memories, buffers, delays and layouts that all other rooms are made of."""
