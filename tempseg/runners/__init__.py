"""Drivers around the engine: threads, clocks, files."""
