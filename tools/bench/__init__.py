"""Benchmark of both functions, the current state and the program."""
