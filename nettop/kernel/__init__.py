"""One file for each interface of the kernel: what is asked, what the answer looks like, what it costs.

Nothing in here keeps books or decides when to ask (`nettop.collector` does), and nothing outside knows netlink, ioctl
or the formats of /proc. Readers that differ by socket family answer the same questions; families.py has what they
share, states.py the words.
"""
