"""Triton kernels for the frame loop on a GPU; optional, checked against PyTorch before they are used."""
