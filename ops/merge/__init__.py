"""Runs merges of the change log, and reports their status."""
