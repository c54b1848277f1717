"""The stack: one pipeline for every table in its config."""

import gc

import pulumi

from streaming_etl import StreamingEtlPipeline, pipelines_from_config

# What a program registers lives as long as the program. Looking for garbage among it finds none
# and takes half of the time of a stack with many tables: docs/performance.md.
gc.disable()

config = pulumi.Config()
pipelines = pipelines_from_config(config.get_object("tables"), config.get_object("defaults"))
for name, args in pipelines.items():
    pulumi.export(name, StreamingEtlPipeline(name, args).outputs)
