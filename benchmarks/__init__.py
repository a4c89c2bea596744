"""Speed, measured beside its peers: `make bench`."""
