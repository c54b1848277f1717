"""Plugin process, which Pulumi starts in the directory of the user's program."""

import sys
from pathlib import Path


def run() -> None:
    """Serve the engine at the address in the first argument."""
    # Python puts this folder on the path; the code is below its parent.
    sys.path[0] = str(Path(__file__).resolve().parent.parent)
    from pulumi.provider import main

    from package.host import PipelineProvider

    main(PipelineProvider(), sys.argv[1:])


if __name__ == "__main__":
    run()
