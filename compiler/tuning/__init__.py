"""Plans that were measured: how better ones are searched for, kept in files, and applied."""
