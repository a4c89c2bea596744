"""Running the levels of the IR in Python."""
