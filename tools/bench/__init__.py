"""Benchmark of both functions and of the program."""
