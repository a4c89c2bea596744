"""GPUs as data: the machines, and the instructions with which they multiply matrices."""
