"""Checks of the project's language, part of `make lint`."""
