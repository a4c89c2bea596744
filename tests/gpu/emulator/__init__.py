"""An emulator of PTX: text as LLVM writes it, executed with NumPy, every access watched.

`device.py` is the interface, `emulated.py` what stands behind it, and `card.py` makes a device of
the runtime's of it, `cuda-emulated`. A text goes through `tokens`,
`stream`, `body` and `parser` into the data of `syntax`; `operations` binds each instruction to its
row of `table` and to arrays with an element for each thread; `block` runs the threads of one block,
side by side where they are at one place. `access`, `races`, `grid_races`, `copies`, `barriers` and
`deadlocks` find what a card would do wrong without a word.

Integers and rounded floats have the card's bits. Approximations are correct to half a unit in the
last place, where a card's are off by one or two. Sums of `mma.sync` over f16 and bf16 are those
of the order `tensor` (docs/semantics.md): a block's exact sum, rounded once, where a card cuts off
some bits of each product. There is no time, no cache, and no order of memory
but that of barriers, fences and atomic operations; a register that was never written holds garbage.
"""
