"""MOSS-TTS (8B), TTSD, VoiceGenerator, SoundEffect: every codebook a row later than the one before it."""
