"""Operator's commands: replay, backfill, cost and test-transform."""
