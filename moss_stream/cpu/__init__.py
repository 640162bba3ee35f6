"""A frame on the CPU: loops over NumPy arrays, which Numba compiles for the CPU they run on."""
