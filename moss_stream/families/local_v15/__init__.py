"""MossTTSLocal v1.5: reads a segment of text, then speaks it, in 48 kHz stereo."""
