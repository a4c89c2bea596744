"""Where the llvm level becomes machine code: text for LLVM, objects for a CPU."""
