"""The stack: one pipeline for every table in its config."""

import pulumi

from components import StreamingEtlPipeline, args_from_config

tables = pulumi.Config().require_object("tables")
settings = {name: args_from_config(f"tables.{name}", given) for name, given in tables.items()}

for name, args in settings.items():
    pulumi.export(name, vars(StreamingEtlPipeline(name, args).outputs))
