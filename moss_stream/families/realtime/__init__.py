"""MOSS-TTS-Realtime: reads its text while it speaks, a token with each frame, and remembers the dialogue."""
