"""The part of llvmlite that Stepwell uses, typed: llvmlite itself says nothing of types."""

__version__: str
