"""What containers are called: asked of the runtime that made them, over its own unix socket or in its own files.

places.py      where they are usually found
facts.py       what a runtime may say of a container, bounded and checked
labels.py      what Kubernetes, Swarm and Compose wrote into its labels
unix_http.py   one JSON document from a server on a unix socket, within a time and a size
engine.py      Docker Engine and podman, which speaks the same API
crio.py        CRI-O
containerd.py  containerd's state directory
runtimes.py    all of them, in threads of their own: asked now, answered later

A runtime may be missing, hang, lie or be overrun: then a container keeps its short id, and the reason is told.
"""
