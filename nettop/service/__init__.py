"""One collector with root's rights, many screens and plain views without: `nettop serve`, and who listens to it.

policy.py     what one who is not root may see
broadcast.py  the stream, as each of those who listen may see it; encoded once for as many as possible
guest.py      one of those who listen
place.py      the socket in the file system
server.py     the loop: ticks, guests, requests
client.py     the other end: finding a service, its stream
served.py     a service as the origin of a screen's stream, and what is not asked of it
unit.py       nettop.service, the unit for systemd

A service changes nothing on the machine, and reads nothing of a single process for anybody: signals, nice values, files
and environments are asked of the kernel by whoever wants them, with the rights they have. So no mistake here can lend
somebody root's.
"""
