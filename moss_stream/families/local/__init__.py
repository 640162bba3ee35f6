"""MossTTSLocal v1.0: reads a segment of text, then speaks it, all codebooks of a frame at a time."""
