"""The cache on disk: what programs and support code were compiled to, for other processes."""
