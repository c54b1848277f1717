"""Graphs of example pipelines, as golden files for review."""
