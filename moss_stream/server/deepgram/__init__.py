"""Deepgram's speak, in one request and over a socket."""
