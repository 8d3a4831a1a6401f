"""`python -m imagic_lora` is the command line."""

import sys

from imagic_lora.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
