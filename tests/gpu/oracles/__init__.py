"""What instructions give by the PTX manual, in Python's integers and fractions: one thread's."""
