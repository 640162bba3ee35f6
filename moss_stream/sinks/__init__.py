"""Where audio goes: the protocol, files and memory, and playing a stream into one."""
