"""The stack: one pipeline for every table in its config."""

import gc

import pulumi

from components import StreamingEtlPipeline, pipelines_from_config

# What a program registers lives as long as the program. Looking for garbage among it finds none
# and takes half of the time of a stack with many tables: docs/performance.md.
gc.disable()

for name, args in pipelines_from_config(pulumi.Config().get_object("tables")).items():
    pulumi.export(name, vars(StreamingEtlPipeline(name, args).outputs))
