"""Formats of audio that leaves: rates, channels, encodings, containers and speed, one chunk at a time."""
