"""The full screen. It knows the machine only as `Snapshot`s from a `source.Source`; it never touches the kernel."""

import os

# Textual reads both at import.
# What is to be painted waits up to two frames of its clock after the last painting: 4 ms, not 33.
os.environ.setdefault("TEXTUAL_FPS", "500")
# How long an Esc may be the beginning of another key, in milliseconds: as tmux has it; htop gives it 25, others 100.
os.environ.setdefault("ESCDELAY", "10")
