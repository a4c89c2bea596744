"""Differentiation as a transform of the tensor level."""
