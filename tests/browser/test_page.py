"""The status page as a person sees it."""

import json
import os
import pathlib
import struct
import urllib.error
import urllib.request

# Relative luminance and contrast as WCAG 2.1 defines them, of each kind of text against what lies behind it.
CONTRAST = """(() => {
    const light = (c) => { const [r, g, b] = c.match(/[\\d.]+/g).slice(0, 3).map(Number).map((v) => v / 255)
        .map((v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
    const behind = (e) => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor;
        if (c !== 'rgba(0, 0, 0, 0)' && c !== 'transparent') return c; } return 'rgb(255, 255, 255)'; };
    return [...document.querySelectorAll('h1, h2, p, th, td, li, .figure b, .figure span, .state, .count')]
        .filter((e) => e.textContent.trim() && !e.matches('.unseen')).map((e) => {
            const [a, b] = [light(getComputedStyle(e).color), light(behind(e))].sort((x, y) => y - x);
            return [Math.round((a + 0.05) / (b + 0.05) * 100) / 100, e.tagName + '.' + e.className + ' ' + e.textContent]; })
        .sort((x, y) => x[0] - y[0]).slice(0, 3); })()"""


def test_at_a_glance(page):
    assert page.text("#state") == "ready"
    assert "configuration 1" in page.text("#facts")
    asks = page.rows("asks")
    assert [row[0].rpartition(":")[0] for row in asks] == ["192.0.2.17", "198.51.100.4", "192.0.2.80", "203.0.113.201"]
    assert asks[0][1] == "shop.example/orders/2026/attachments/invoice.pdf"
    assert asks[0][2:4] == ["post-handshake", "certificate"]
    assert "of 48 MiB" in asks[0][5]
    assert asks[1][3] == "end of the body"
    assert asks[2][5] == "no body"
    assert [row[1:] for row in page.rows("workers")] == [["serving", "12", "3"], ["serving", "11", "1"]]
    spool = page.text("#spool")
    assert "186 MiB of 256 MiB" in spool and "2.6 GiB of 8.0 GiB" in spool
    assert page.evaluate("document.querySelectorAll('#chart rect').length") > 90
    assert any(row[:3] == ["declined", "no-certificate", "post-handshake"] for row in page.rows("outcomes"))
    assert page.rows("refusals") == [["no-route", "2"], ["malformed-request", "1"]]


def test_the_chart_shows_what_was_counted(page, board):
    with urllib.request.urlopen(board.url + "/status.json") as answer:
        steps = json.load(answer)["verdicts"]["steps"]
    legend = page.text("#legend").split("\n")
    for name, counts in steps.items():
        shown = next(line for line in legend if line.startswith(name.replace("-", " ")))
        # A step may have fallen out at the old end since.
        assert sum(counts[1:]) <= int(shown.rpartition(" ")[2].replace(",", "")) <= sum(counts) + counts[0] + 20


def test_it_refreshes_itself(page):
    first = page.evaluate("Number(document.documentElement.dataset.shown)")
    drained = page.rows("asks")[1][5]
    page.wait(f"Number(document.documentElement.dataset.shown) > {first} + 2000")
    page.wait(f"document.querySelector('#asks tbody').rows[1].cells[5].innerText !== {drained!r}")
    assert page.evaluate("performance.getEntriesByType('navigation').length") == 1


def test_a_worker_that_does_not_move(page, board):
    board.say("silent")
    page.wait("document.getElementById('state').innerText === 'not ready: 1 worker does not move'")
    assert page.evaluate("document.getElementById('state').classList.contains('bad')")
    assert page.rows("workers")[1][1].startswith("silent for")
    try:
        urllib.request.urlopen(board.url + "/readyz")
        raise AssertionError("it is ready")
    except urllib.error.HTTPError as refused:
        assert refused.code == 503
        assert refused.read() == b"not ready\nserving; 1 of 2 workers serve\n"
    board.say("move")
    page.wait("document.getElementById('state').innerText === 'ready'")
    with urllib.request.urlopen(board.url + "/readyz") as answer:
        assert answer.read() == b"ready\n"


def test_a_refused_reload(page, board):
    assert not page.evaluate("document.getElementById('refusal').checkVisibility()")
    board.say("refuse")
    page.wait("document.getElementById('refusal').checkVisibility()")
    assert page.text("#refusal") == (
        "The last reload was refused; configuration 1 is in use. thaw.yaml:7: key 'hosts[0].key': <b>missing</b>")  # fmt: skip
    assert page.evaluate(CONTRAST)[0][0] >= 4.5
    board.say("take")
    page.wait("!document.getElementById('refusal').checkVisibility()")


def test_changed_files_that_are_not_loaded(page, board):
    assert not page.evaluate("document.getElementById('held').checkVisibility()")
    board.say("hold")
    page.wait("document.getElementById('held').checkVisibility()")
    assert page.text("#held") == (
        "Changed files are not loaded; the earlier ones are in use. thaw.yaml:7: key 'hosts[0].key': <i>not</i> of the certificate")  # fmt: skip
    assert not page.evaluate("document.getElementById('refusal').checkVisibility()")
    board.say("release")
    page.wait("!document.getElementById('held').checkVisibility()")
    board.say("hold")
    page.wait("document.getElementById('held').checkVisibility()")
    board.say("take")
    page.wait("!document.getElementById('held').checkVisibility()")


def test_upstreams_in_trouble_come_first(page, board):
    page.wait("document.querySelector('#upstreams tbody').rows[0].innerText.includes('slow')")
    assert page.rows("upstreams")[0][:3] == ["reports", "unix:/run/reports.sock", "slow"]
    board.say("down")
    page.wait("document.querySelector('#upstreams tbody').rows[0].innerText.includes('resting after failures')")
    rows = page.rows("upstreams")
    assert rows[0][:2] == ["orders", "http://10.0.3.12:8080"]
    assert int(rows[0][4]) > 0 and int(rows[0][5]) > 0
    assert [row[2] for row in rows[1:]] == ["slow", "well"]


def test_the_page_of_a_gateway_that_has_ended(page, board):
    board.end()
    page.wait("document.getElementById('state').innerText === 'no answer: what is shown is old'")
    assert page.evaluate("document.title") == "Thaw: no answer"


def test_the_page_loads_nothing_external_and_logs_no_errors(page, board):
    page.wait("performance.getEntriesByType('resource').length > 2")
    assert page.requests
    assert not [url for url in page.requests if not url.startswith((board.url + "/", "data:"))], page.requests
    assert page.complaints == []


def test_what_a_client_sends_is_text(page, board):
    board.say("hostile")
    page.wait("document.querySelector('#asks tbody').rows.length === 5")
    assert page.rows("asks")[4][1] == "shop.example/<img src=x onerror=alert(1)>"
    assert page.evaluate("document.querySelectorAll('img').length") == 0
    assert page.complaints == []


def test_no_foreign_script_or_style_runs(page):
    """The policy stops what might get into the page all the same."""
    page.evaluate(
        "document.body.insertAdjacentHTML('beforeend', '<p id=foreign style=\"color:red\" onclick=\"window.ran=1\">x</p>');"
        "const s = document.createElement('script'); s.textContent = 'window.ran = 1'; document.body.append(s);"
        "document.getElementById('foreign').click()"
    )
    assert page.evaluate("window.ran") is None
    assert page.evaluate("getComputedStyle(document.getElementById('foreign')).color") != "rgb(255, 0, 0)"


def test_light_and_dark_can_be_read(page):
    grounds = set()
    for scheme in ("light", "dark"):
        page.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        grounds.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
        worst = page.evaluate(CONTRAST)
        assert worst[0][0] >= 4.5, (scheme, worst)
    assert len(grounds) == 2


def test_assistive_technology(page):
    nodes = page.call("Accessibility.getFullAXTree")["nodes"]
    seen = {}
    for node in nodes:
        if not node.get("ignored"):
            seen.setdefault(node["role"]["value"], []).append(node.get("name", {}).get("value", ""))
    assert len(seen["table"]) == 5 and all(seen["table"]), seen["table"]
    assert seen["main"] == [""] and seen["heading"][0] == "Thaw" and len(seen["heading"]) == 8
    assert len(seen["status"]) == 1
    assert all(seen["progressbar"])
    assert seen["image"] == ["Verdicts of the last 15 minutes"]
    assert page.evaluate("document.documentElement.lang") == "en"


def test_a_small_screen(page):
    page.call("Emulation.setDeviceMetricsOverride", width=360, height=740, deviceScaleFactor=1, mobile=True)
    first = page.evaluate("Number(document.documentElement.dataset.shown)")
    page.wait(f"Number(document.documentElement.dataset.shown) > {first}")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_a_picture(page, board):
    """Written to the folder that THAW_PICTURES names, if any: docs/status.png is one such."""
    board.say("down")
    page.wait("document.querySelector('#upstreams tbody').rows[0].innerText.includes('resting')")
    png = page.picture()
    assert png.startswith(b"\x89PNG")
    width, height = struct.unpack(">II", png[16:24])
    assert width == 1280 and height >= 1000
    folder = os.environ.get("THAW_PICTURES")
    if folder:
        pathlib.Path(folder, "status.png").write_bytes(png)
