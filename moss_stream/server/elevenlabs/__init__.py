"""ElevenLabs' protocol: speech in one request or over a socket, with times of characters."""
