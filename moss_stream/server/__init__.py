"""The HTTP and WebSocket application (extra: server)."""
