"""What can be said: the attributes, types and ops that are not tensor ops."""
