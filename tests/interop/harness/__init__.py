"""What the interop tests share.

    gateway    starts and ends `thaw serve`, reads its access log, samples its memory
    pki        certificates for the special cases (a second CA)
    programs   the helper clients, compiled once a session
    cells      the matrix: client, path and size of each cell, and its expected result
    drivers    how each client is run for many cells
    rawtls     a client of Python's ssl that writes before it reads
    h2raw      an HTTP/2 client whose frames are constructed by hand, with hpack
    h2         gateways that speak HTTP/2
    h2_honest  honest clients beside an attacker
    h2_servers other servers of HTTP/2
    relay      a TCP relay that limits the bandwidth
"""
