"""nettop: top for the network."""

__version__ = "0.1.0"
