"""Passes: one level in, the same level out."""
