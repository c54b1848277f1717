"""Simulation of AWS around the real handlers, chosen by a seed."""
