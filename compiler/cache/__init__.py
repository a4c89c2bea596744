"""The cache on disk: what programs and the thread pool were compiled to, for other processes."""
