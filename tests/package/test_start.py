"""docs/START.md: its commands, typed as they are there into one shell where the packages have just been installed, print what the page says."""

import os
import pathlib
import re
import shutil
import subprocess

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
GUIDE = (TOP / "docs" / "START.md").read_text()
BLOCK = re.compile(r"^```(sh|text)\n(.*?)^```\n", re.M | re.S)
SERVICES = {"Python": 0, "Node.js with Express": 1}


def steps(service):
    """(commands, what they print or None) of each block; of the services' the one that is wanted."""
    found, at = [], 0
    for match in BLOCK.finditer(GUIDE):
        kind, text = match.groups()
        title = re.search(r"^\*\*(?:Or )?([^*]*):\*\*\n\n$", GUIDE[at : match.start()][-60:], re.M)
        at = match.end()
        if title and title[1] in SERVICES and title[1] != service:
            continue
        if kind == "sh":
            found.append([text, None])
        else:
            found[-1][1] = text
    return found


def typed(installed, service, before="", after=None):
    """What each step printed, and what it should; at the end also what the commands after the page's printed."""
    todo = steps(service) + ([(after, None)] if after else [])
    script = "".join(f"echo @@@\n{commands}\n" for commands, _ in todo)
    said = installed(f"""
        cat >/tmp/typed <<'END OF STEPS'
cd ~
{before}
{script}
END OF STEPS
        mkdir /tmp/home
        # What runs in the background ends with the first process of the namespace.
        HOME=/tmp/home unshare -n -p --fork sh -ec 'ip link set lo up; timeout 120 bash /tmp/typed 2>/tmp/errors </dev/null; true'
        echo @@@; tail -n 20 /tmp/errors
    """)
    *printed, errors = said.split("@@@\n")[1:]
    assert len(printed) == len(todo), errors
    return list(zip(printed, todo))


def check(printed):
    assert len(printed) > 5
    for said, (commands, expected) in printed:
        assert expected is None or said == expected, commands


def test_the_page_has_a_step_for_each_service():
    for service in SERVICES:
        assert sum("upstream: app" in commands for commands, _ in steps(service)) == 1
        assert len([commands for commands, _ in steps(service) if "app.py" in commands or "app.js" in commands]) == 1


STRICT = """
import ssl, urllib.request
context = ssl.create_default_context(cafile="server-ca.pem")
context.verify_flags |= ssl.VERIFY_X509_STRICT  # the default from Python 3.13 on
context.post_handshake_auth = True
context.load_cert_chain("alice.pem", "alice.key")
print(urllib.request.urlopen("https://localhost:8443/admin", context=context).read().decode(), end="")
"""


def test_with_python(installed):
    *printed, (strict, _) = typed(installed, "Python", after=f"python3 - <<'END'{STRICT}END\n")
    check(printed)
    assert strict == "/admin: CN=alice,O=Example, 0 bytes\n"


def test_with_express(installed, tmp_path):
    if not shutil.which("npm"):
        pytest.skip("no npm here")
    try:
        done = subprocess.run(["npm", "install", "--silent", "--fetch-retries=0", "express"], cwd=tmp_path, timeout=120, check=False,
                              env={**os.environ, "HOME": str(tmp_path)}, capture_output=True, text=True)  # fmt: skip
    except subprocess.TimeoutExpired:
        pytest.skip("npm gets no answer from its registry")
    if done.returncode != 0:
        pytest.skip("npm cannot reach its registry")
    # Where the page is typed there is no network: what npm has installed is there already.
    before = f'npm() {{ mkdir -p node_modules && cp -r "{tmp_path}"/node_modules/. node_modules/; }}'
    check(typed(installed, "Node.js with Express", before))
