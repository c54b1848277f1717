"""Local tests of a transform module, without AWS."""
