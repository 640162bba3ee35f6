"""Measurements; run them with `make bench` or one by one."""
