"""Operator's commands: replay, backfill, cost and transform-test."""
