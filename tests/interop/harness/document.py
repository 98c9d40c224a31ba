"""Extracts code blocks below a heading from a document."""

import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[3]


def blocks(document, heading, language):
    """The code blocks in that language below '## heading', up to the next heading of that level."""
    text = (ROOT / document).read_text()
    section = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", text, re.M | re.S)
    assert section, f"{document} has no section '{heading}'"
    return re.findall(rf"^```{language}\n(.*?)^```$", section[1], re.M | re.S)


def block(document, heading, language):
    """The only block in that language."""
    found = blocks(document, heading, language)
    assert len(found) == 1, f"{document}, '{heading}': {len(found)} blocks of {language}, not one"
    return found[0]


def replaced(text, pairs):
    """The text with each (before, after) replaced; each `before` must exist."""
    for before, after in pairs:
        assert before in text, f"'{before}' is not in the text"
        text = text.replace(before, after)
    return text
