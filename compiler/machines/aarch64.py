"""The AArch64 machines: NEON, which all have, and what later ones have besides."""

from dataclasses import replace

from stepwell.compiler.machines.machine import Machine

AARCH64 = Machine(
    name="aarch64",
    architecture="aarch64",
    cpu="generic",
    features=("neon",),
    vector_bytes=16,
    vector_registers=32,
    l1=32 << 10,
    l2=512 << 10,
    l3=2 << 20,
    l1_ways=4,
)
"""Armv8-A. (Cortex-A53 to A73)"""

AARCH64_DOTPROD = replace(AARCH64, name="aarch64-dotprod", features=("neon", "dotprod"))
"""With products of bytes. (Cortex-A76, Neoverse N1, Apple M1)"""
