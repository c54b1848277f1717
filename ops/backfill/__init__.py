"""Sends a table's items from before its stream to the lake."""
