"""The stack: one pipeline for every table in its config."""

import pulumi

from components import StreamingEtlPipeline, pipelines_from_config

for name, args in pipelines_from_config(pulumi.Config().get_object("tables")).items():
    pulumi.export(name, vars(StreamingEtlPipeline(name, args).outputs))
