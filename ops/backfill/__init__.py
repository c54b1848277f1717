"""The items that a table held before its stream told of them, into the lake once."""
