"""The server's own protocol, over a socket and in a call."""
