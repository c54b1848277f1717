"""`python -m streaming_etl`: the operator's commands."""

import sys

from streaming_etl.ops.__main__ import main

if __name__ == "__main__":
    sys.exit(main())
