"""Layers, caches and sampling: functions of tensors and explicit caches, for any model of the family."""
