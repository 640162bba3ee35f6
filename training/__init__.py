"""The recipe of the embedded voice: corpus, codec, speech model, export. Not part of the wheel."""
