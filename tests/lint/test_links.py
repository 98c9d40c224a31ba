"""Links between the documents: each one leads to a file, and to a heading of it where it names one."""

import pathlib
import re

TOP = pathlib.Path(__file__).resolve().parents[2]
LINK = re.compile(r"\]\((?!https?:|mailto:)([^)#\s]*)(?:#([^)\s]+))?\)")
FENCE = re.compile(r"^ *```.*?^ *```", re.M | re.S)


def anchors(page):
    """As GitHub makes them of headings."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text()), re.M)
    plain = (re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading) for heading in headings)
    return {re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-") for heading in plain}


def test_each_link_leads_somewhere():
    wrong = []
    for page in [*TOP.glob("*.md"), *TOP.glob("docs/*.md"), *TOP.glob("examples/**/*.md"), *TOP.glob("bench/*.md"), *TOP.glob("tests/*/*.md")]:
        for file, anchor in LINK.findall(FENCE.sub("", page.read_text())):
            to = (page.parent / file) if file else page
            if not to.exists() or (anchor and to.suffix == ".md" and anchor not in anchors(to)):
                wrong.append(f"{page.relative_to(TOP)}: {file}{'#' if anchor else ''}{anchor}")
    assert not wrong, "links that lead nowhere:\n" + "\n".join(wrong)
