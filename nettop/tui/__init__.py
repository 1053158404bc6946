"""The full screen. It knows the machine only as `Snapshot`s from a `source.Source`; it never touches the kernel."""

import os

# Textual paints at most this often; what a key does waits for the next frame: 8 ms instead of 17. Read at import.
os.environ.setdefault("TEXTUAL_FPS", "125")
