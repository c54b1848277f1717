"""Operator commands: replay, backfill, cost and test-transform."""
