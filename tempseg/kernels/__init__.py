"""Numba kernels: arrays and scalars in, `out` written, nothing raised."""
