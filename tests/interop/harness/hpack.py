"""HPACK (RFC 7541) for tests: constructs single representations, also invalid ones; and a decoder."""

# RFC 7541 Appendix B. The code is canonical: codes are assigned by length, then by symbol. 256 is EOS.
_SYMBOLS_BY_LENGTH = {
    5: b"012aceiost",
    6: b" %-./3456789=A_bdfghlmnpru",
    7: b":BCDEFGHIJKLMNOPQRSTUVWYjkqvwxyz",
    8: b"&*,;XZ",
    10: b'!"()?',
    11: b"'+|",
    12: b"#>",
    13: b"\x00$@[]~",
    14: b"^}",
    15: b"<`{",
    19: b"\\\xc3\xd0",
    20: b"\x80\x82\x83\xa2\xb8\xc2\xe0\xe2",
    21: b"\x99\xa1\xa7\xac\xb0\xb1\xb3\xd1\xd8\xd9\xe3\xe5\xe6",
    22: b"\x81\x84\x85\x86\x88\x92\x9a\x9c\xa0\xa3\xa4\xa9\xaa\xad\xb2\xb5\xb9\xba\xbb\xbd\xbe\xc4\xc6\xe4\xe8\xe9",
    23: b"\x01\x87\x89\x8a\x8b\x8c\x8d\x8f\x93\x95\x96\x97\x98\x9b\x9d\x9e\xa5\xa6\xa8\xae\xaf\xb4\xb6\xb7\xbc\xbf\xc5\xe7\xef",
    24: b"\x09\x8e\x90\x91\x94\x9f\xab\xce\xd7\xe1\xec\xed",
    25: b"\xc7\xcf\xea\xeb",
    26: b"\xc0\xc1\xc8\xc9\xca\xcd\xd2\xd5\xda\xdb\xee\xf0\xf2\xf3\xff",
    27: b"\xcb\xcc\xd3\xd4\xd6\xdd\xde\xdf\xf1\xf4\xf5\xf6\xf7\xf8\xfa\xfb\xfc\xfd\xfe",
    28: bytes([*range(2, 9), 11, 12, *range(14, 22), *range(23, 32), 127, 220, 249]),
    30: (10, 13, 22, 256),
}
EOS = 256

# RFC 7541 Appendix A, index 1 first.
_STATIC_TEXT = """:authority|:method GET|:method POST|:path /|:path /index.html|:scheme http|:scheme https|:status 200|:status 204
:status 206|:status 304|:status 400|:status 404|:status 500|accept-charset|accept-encoding gzip, deflate|accept-language
accept-ranges|accept|access-control-allow-origin|age|allow|authorization|cache-control|content-disposition|content-encoding
content-language|content-length|content-location|content-range|content-type|cookie|date|etag|expect|expires|from|host|if-match
if-modified-since|if-none-match|if-range|if-unmodified-since|last-modified|link|location|max-forwards|proxy-authenticate
proxy-authorization|range|referer|refresh|retry-after|server|set-cookie|strict-transport-security|transfer-encoding|user-agent
vary|via|www-authenticate"""
STATIC = [
    (name.encode(), value.encode())
    for name, _, value in (text.partition(" ") for text in _STATIC_TEXT.replace("\n", "|").split("|"))
]


class CompressionError(Exception):
    pass


def _canonical_codes():
    codes, code, last = {}, 0, 0
    for length, symbols in sorted(_SYMBOLS_BY_LENGTH.items()):
        code <<= length - last
        last = length
        for symbol in sorted(symbols):
            codes[symbol] = (code, length)
            code += 1
    assert code == 1 << last and len(codes) == 257, "the code is complete"
    return codes


CODES = _canonical_codes()
_SYMBOLS = {(length, code): symbol for symbol, (code, length) in CODES.items()}


def huffman(data, padding=None):
    """The Huffman code of data. padding: the bits at its end, instead of the ones that fill the last octet."""
    bits = "".join(f"{code:0{length}b}" for code, length in (CODES[symbol] for symbol in data))
    bits += "1" * (-len(bits) % 8) if padding is None else padding
    return int(bits or "0", 2).to_bytes(len(bits) // 8, "big")


def decode_huffman(data):
    out, code, length = bytearray(), 0, 0
    for octet in data:
        for shift in range(7, -1, -1):
            code, length = code << 1 | octet >> shift & 1, length + 1
            symbol = _SYMBOLS.get((length, code))
            if symbol == EOS:
                raise CompressionError("EOS within a string")
            if symbol is not None:
                out.append(symbol)
                code, length = 0, 0
    if length > 7 or code != (1 << length) - 1:
        raise CompressionError("padding")
    return bytes(out)


def octets(text):
    return text.encode("latin-1") if isinstance(text, str) else bytes(text)


def integer(value, prefix, first=0):
    """RFC 7541 5.1. first: the bits of the first octet before the prefix."""
    most = (1 << prefix) - 1
    if value < most:
        return bytes([first | value])
    out, value = bytearray([first | most]), value - most
    while value >= 128:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def string(data, coded=False):
    data = octets(data)
    if coded:
        data = huffman(data)
    return integer(len(data), 7, 128 if coded else 0) + data


_KINDS = {"incremental": (6, 0x40), "without": (4, 0), "never": (4, 0x10)}


def literal(name, value, kind="without", coded=False):
    """RFC 7541 6.2. name: a text, or an index into the tables."""
    prefix, first = _KINDS[kind]
    named = integer(name, prefix, first) if isinstance(name, int) else bytes([first]) + string(name, coded)
    return named + string(value, coded)


def indexed(index):
    return integer(index, 7, 0x80)


def table_size(size):
    return integer(size, 5, 0x20)


def block(*fields):
    """A header block that depends on no table: a literal for each (name, value)."""
    return b"".join(literal(name, value) for name, value in fields)


class Table:
    """The dynamic table, newest entry first, after the static one (RFC 7541 2.3)."""

    def __init__(self, most=4096):
        self.entries, self.size, self.most = [], 0, most

    def get(self, index):
        if 1 <= index <= len(STATIC):
            return STATIC[index - 1]
        if not 0 < index - len(STATIC) <= len(self.entries):
            raise CompressionError(f"index {index}")
        return self.entries[index - len(STATIC) - 1]

    def _evict(self, room):
        while self.entries and self.size > room:
            name, value = self.entries.pop()
            self.size -= len(name) + len(value) + 32

    def add(self, name, value):
        cost = len(name) + len(value) + 32
        self._evict(self.most - cost)
        if cost <= self.most:
            self.entries.insert(0, (name, value))
            self.size += cost

    def resize(self, most):
        self.most = most
        self._evict(most)

    def find(self, field):
        """(index of the field, index of its name); 0: not in the tables."""
        known = [*STATIC, *self.entries]
        names = [name for name, _ in known]
        return (known.index(field) + 1 if field in known else 0), (names.index(field[0]) + 1 if field[0] in names else 0)


class Encoder:
    """Uses the tables as a browser does."""

    def __init__(self, coded=True):
        self.table, self._coded = Table(), coded

    def encode(self, fields):
        out = b""
        for name, value in fields:
            field = octets(name), octets(value)
            index, named = self.table.find(field)
            if index:
                out += indexed(index)
                continue
            out += literal(named or field[0], field[1], "incremental", self._coded)
            self.table.add(*field)
        return out


class Decoder:
    def __init__(self, most=4096):
        self._table, self._limit = Table(most), most

    def _integer(self, prefix):
        most = (1 << prefix) - 1
        value, shift = self._octet() & most, 0
        if value < most:
            return value
        while True:
            octet = self._octet()
            value += (octet & 127) << shift
            shift += 7
            if not octet & 128:
                return value

    def _octet(self):
        self._at += 1
        if self._at > len(self._data):
            raise CompressionError("cut short")
        return self._data[self._at - 1]

    def _string(self):
        coded = self._data[self._at : self._at + 1] >= b"\x80"
        length = self._integer(7)
        raw = self._data[self._at : self._at + length]
        self._at += length
        if len(raw) < length:
            raise CompressionError("cut short")
        return decode_huffman(raw) if coded else raw

    def _literal(self, prefix):
        index = self._integer(prefix)
        name = self._table.get(index)[0] if index else self._string()
        return name, self._string()

    def decode(self, data):
        """Returns [(name, value)] as octets."""
        self._data, self._at, fields = data, 0, []
        while self._at < len(data):
            first = data[self._at]
            if first & 0x80:
                fields.append(self._table.get(self._integer(7)))
            elif first & 0x40:
                fields.append(self._literal(6))
                self._table.add(*fields[-1])
            elif first & 0x20:
                size = self._integer(5)
                if size > self._limit or fields:
                    raise CompressionError("table size update")
                self._table.resize(size)
            else:
                fields.append(self._literal(4))
        return fields
