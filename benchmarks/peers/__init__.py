"""The peers: each in a file of its own, which only the processes that run it import."""
