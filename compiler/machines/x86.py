"""The x86-64 machines: the levels of the System V psABI, from AVX2 with FMA upwards."""

from dataclasses import replace

from stepwell.compiler.machines.machine import Machine

V2 = ("cx16", "popcnt", "sahf", "sse3", "sse4.1", "sse4.2", "ssse3")
V3 = (*V2, "avx", "avx2", "bmi", "bmi2", "f16c", "fma", "lzcnt", "movbe", "xsave")
V4 = (*V3, "avx512bw", "avx512cd", "avx512dq", "avx512f", "avx512vl")

X86_64_V3 = Machine(
    name="x86-64-v3",
    architecture="x86_64",
    cpu="x86-64-v3",
    features=V3,
    vector_bytes=32,
    vector_registers=16,
    l1=32 << 10,
    l2=256 << 10,
    l3=8 << 20,
    l1_ways=8,
)
"""The least we compile for, since contractions are fused by meaning. (Haswell, Zen)"""

X86_64_V4 = replace(
    X86_64_V3,
    name="x86-64-v4",
    cpu="x86-64-v4",
    features=V4,
    vector_bytes=64,
    vector_registers=32,
    l2=1 << 20,
    l3=16 << 20,
)
"""AVX-512. (Skylake-X, Zen 4)"""

X86_64_V3_VNNI = replace(X86_64_V3, name="x86-64-v3-vnni", features=(*V3, "avxvnni"))
"""With products of bytes. (Alder Lake)"""

X86_64_V4_VNNI = replace(X86_64_V4, name="x86-64-v4-vnni", features=(*V4, "avx512vnni"))
"""With products of bytes. (Cascade Lake, Ice Lake, Zen 4)"""

TILES = ("amx-int8", "amx-tile")
X86_64_V4_AMX = replace(X86_64_V4, name="x86-64-v4-amx", features=(*V4, *TILES, "avx512vnni"))
"""With products of tiles of bytes. (Sapphire Rapids)"""

LEVELS = (X86_64_V3, X86_64_V3_VNNI, X86_64_V4, X86_64_V4_VNNI, X86_64_V4_AMX)
"""Each with more than those before it; of a processor that has no name here, the best is it."""

EXACT_AVX512 = (
    "avx512bitalg",
    "avx512ifma",
    "avx512vbmi",
    "avx512vbmi2",
    "avx512vnni",
    "avx512vpopcntdq",
    "gfni",
)
EXACT_EXTRAS = (*EXACT_AVX512, *TILES, "avx512bf16", "avxvnni")
"""What else LLVM may use on the build machine: integer instructions, which change no result.

Of `avx512bf16` it uses what it is told to: its conversion, which flushes denormals, stands for an
`fptrunc` that nobody writes. Not `avx512fp16`, whose fused multiply-add rounds once where other
machines round twice.
"""

ZNVER5 = replace(
    X86_64_V4,
    name="znver5",
    features=(*V4, *EXACT_AVX512, "avx512bf16", "avxvnni"),
    l1=48 << 10,
    l3=32 << 20,
    l1_ways=12,
)
"""AMD's of 2024. The third cache is that of eight cores."""

ZNVER4 = replace(
    ZNVER5,
    name="znver4",
    features=(*V4, *EXACT_AVX512, "avx512bf16"),
    l1=32 << 10,
    l1_ways=8,
    multiply_adds=1,
    streams=1,
    quotient=18,
    root=30,
)
"""AMD's of 2022: vectors of 64 bytes, in halves."""

SAPPHIRERAPIDS = replace(
    ZNVER5, name="sapphirerapids", features=(*V4, *TILES, *EXACT_AVX512), l2=2 << 20
)
"""Intel's servers of 2023, and what came after. Their `vdpbf16ps` takes two cycles, in which there
are four multiply-adds of f32: as many products as two of it have."""

PROCESSORS = (SAPPHIRERAPIDS, ZNVER4, ZNVER5)
