"""Estimate of the monthly bill of pipelines."""
