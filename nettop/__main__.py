"""`nettop`, and `python -m nettop`.

Without looking for garbage: what is imported stays, and what most commands make is kept to the end. Looking through it
would take 10 ms of the first picture before anything else is done. Who runs on looks for it when it suits them.
"""

import gc
import sys

gc.disable()

from nettop.cli import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main())
