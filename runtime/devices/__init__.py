"""Devices: cards and what acts as one, the arrays that lie there, and programs that run there."""
