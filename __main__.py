"""The stack: one pipeline for every table in its config."""

import gc

import pulumi

from streaming_etl import StackDashboard, StreamingEtlPipeline, pipelines_from_config

if __name__ == "__main__":
    # A program keeps all its resources until it ends: collecting garbage finds nothing and takes
    # half of the CPU time of 40 tables (11.9 instead of 5.5 s). Tools run it by another name.
    gc.disable()

config = pulumi.Config()
pipelines = pipelines_from_config(config.get("tables"), config.get("defaults"))
created = {name: StreamingEtlPipeline(name, args) for name, args in pipelines.items()}
for name, pipeline in created.items():
    pulumi.export(name, pipeline.outputs)
# With one pipeline it would repeat the pipeline's dashboard.
if len(created) > 1 and config.get_bool("stack_dashboard") is not False:
    # No pipeline's name has an underscore.
    dashboard = StackDashboard("all_pipelines", [*created.values()])
    pulumi.export("stack_dashboard", dashboard.dashboard)
