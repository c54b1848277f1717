"""What the graph's tests share with the components': pipelines built once in a session."""

from tests.components.conftest import pipelines

__all__ = ["pipelines"]
