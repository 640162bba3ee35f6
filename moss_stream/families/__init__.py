"""The models that can be loaded, a folder each."""
