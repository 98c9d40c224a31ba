"""What the interop tests share.

    gateway    starts and ends `thaw serve`, reads its access log, samples its memory
    pki        certificates for the special cases (a second CA)
    programs   the helper clients, compiled once a session
    cells      the matrix: which client, which path, which size; and what must come of it
    drivers    how each client is run for many cells
    rawtls     a client of Python's ssl that writes before it reads
    h2raw      a client of HTTP/2 whose frames are made by hand, with hpack
    h2         gateways that speak HTTP/2
    h2_honest  honest clients beside an attacker
    h2_servers other servers of HTTP/2
    relay      a TCP relay that limits the bandwidth
"""
