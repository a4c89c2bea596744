"""The GPU target: PTX text from the device part of a module."""
