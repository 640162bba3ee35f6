"""The networks: modules that are functions of tensors and of caches passed in."""
