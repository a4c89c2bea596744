"""Speed on a card: `make bench-gpu`."""
