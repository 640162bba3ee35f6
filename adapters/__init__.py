"""Glue to the outside world: one file for each, importing public names and its own library only."""
