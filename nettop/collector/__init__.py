"""What is true now, from the kernel to a stream of Deltas.

collector.py   one tick: who is asked when, and what becomes of the answers
processes.py   which processes there are, from cn_proc and /proc
sockets.py     which sockets there are, namespace by namespace
resolver.py    inode → the file descriptors that hold it
namespaces.py  which network namespaces there are, their names and interfaces
health.py      what could not be read, why, and what would help
outbox.py      what changed since the last Delta
child.py       the collector as a process of its own, at the other end of a socket
"""
