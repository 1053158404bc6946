"""What is true now, from the kernel to a stream of Deltas.

collector.py   one tick: who is asked when, and what becomes of the answers
processes.py   which processes there are, from cn_proc and /proc
changes.py     what a tick found of them
registry.py    what processes belong to: containers, units, programs
sockets.py     which sockets there are, namespace by namespace; reader.py the tables of one
resolver.py    inode → the file descriptors that hold it
holdings.py    row → who holds its socket, or did last
endings.py     sockets that have ended: rows, last figures; remains.py what is left of one
evidence.py    whose a socket was that nobody saw; lookout.py looks between two ticks, alone.py who else ran
traffic.py     the books: what is settled of sockets whose rows are gone
lineage.py     who a process was when something happened, and who had started it
happenings.py  connect, accept, listen, close, fail, retransmit: counted and told
destinations.py  how many connections were made to where, and what became of them
conntrack.py   which namespaces track connections, what is asked there and when
translations.py  who is behind NAT: tracked flows joined with sockets
datagrams.py   the bytes of UDP sockets, from the counters of tracked flows
namespaces.py  which network namespaces there are, their names and interfaces
health.py      what could not be read, why, and what would help
outbox.py      what changed since the last Delta
answers.py     what is asked of the collector beside, and by whom it is done
actions.py     signals, nice values, sockets closed
inspect.py     what is read of one process or namespace only when somebody looks at it
pulse.py       when it looks next, and what is done between two looks
link.py        a socket that is never waited for: lines out, requests in
child.py       the collector as a process of its own, at the other end of a socket
"""
