"""Wyoming, the protocol of voice services for Home Assistant: lines of JSON and audio over TCP."""
