"""Paths of the checkout, for tools and tests."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
"""Directory of the Pulumi program."""
