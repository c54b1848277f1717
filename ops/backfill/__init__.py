"""Sends the items that a table held before its stream to the lake, once."""
