"""An emulator of PTX: text as LLVM writes it, executed with NumPy, every access watched."""
