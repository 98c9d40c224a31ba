"""Tests the tests' own HPACK with the examples of RFC 7541 Appendix C.4."""

import pytest

from harness import hpack

EXAMPLES = (
    ("828684418cf1e3c2e5f23a6ba0ab90f4ff", "http", "/", ()),
    ("828684be5886a8eb10649cbf", "http", "/", ((b"cache-control", b"no-cache"),)),
    ("828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf", "https", "/index.html", ((b"custom-key", b"custom-value"),)),
)


def _fields(scheme, path, more):
    pseudo = ((":method", "GET"), (":scheme", scheme), (":path", path), (":authority", "www.example.com"))
    return [(name.encode(), value.encode()) for name, value in pseudo] + list(more)


def test_examples_are_decoded_with_one_table():
    decoder = hpack.Decoder()
    for octets, *fields in EXAMPLES:
        assert decoder.decode(bytes.fromhex(octets)) == _fields(*fields)


def test_examples_are_encoded_with_one_table():
    encoder = hpack.Encoder()
    for octets, *fields in EXAMPLES:
        assert encoder.encode(_fields(*fields)).hex() == octets


def test_every_octet_survives_huffman():
    for octet in range(256):
        assert hpack.decode_huffman(hpack.huffman(bytes([octet]) * 5)) == bytes([octet]) * 5


@pytest.mark.parametrize("wrong", ("3fffffff", "18", "1fffff"))  # EOS, zeros, more than 7 bits
def test_wrong_ends_of_huffman_are_found(wrong):
    with pytest.raises(hpack.CompressionError):
        hpack.decode_huffman(bytes.fromhex(wrong))
