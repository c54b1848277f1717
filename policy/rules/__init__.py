"""Rules about this pipeline's contract and about exposed or lost data.

Pulumi imports this package as `rules` and the tests as `policy.rules`, so imports are relative.
"""
