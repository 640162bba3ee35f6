"""Cartesia's protocol, over a socket and in one request."""
