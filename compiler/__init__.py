"""The compiler: from traced Python functions to machine code."""
