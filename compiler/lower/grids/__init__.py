"""Kernels as grids of threads on a GPU: strategies, and what becomes of the program around them."""
