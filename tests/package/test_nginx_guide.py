"""docs/NGINX.md, "Protect a location": its commands, typed as they are there where the packages have just been installed, print what the page says."""

import pathlib
import re

TOP = pathlib.Path(__file__).resolve().parents[2]
PAGE = (TOP / "docs" / "NGINX.md").read_text()
GUIDE = PAGE[PAGE.index("\n## Protect a location\n") : PAGE.index("\n### Update and remove\n")]
BLOCK = re.compile(r"^```(sh|text)\n(.*?)^```\n", re.M | re.S)

# Where tests run there is no systemd, and perhaps no sudo; nginx has Debian's own script for such machines.
MACHINE = """
sudo() { "$@"; }
systemctl() { service "$2" "$1" >/dev/null; }
"""


def steps():
    """[commands, what they print or None] of each block."""
    found = []
    for kind, text in BLOCK.findall(GUIDE):
        if kind == "sh":
            found.append([text, None])
        else:
            found[-1][1] = text
    return found


def typed(installed, after=""):
    script = "".join(f"echo @@@\n{commands}\n" for commands, _ in steps())
    said = installed(f"""
        cat >/tmp/typed <<'END OF STEPS'
cd ~
{MACHINE}
{script}
echo @@@
{after}
END OF STEPS
        mkdir /tmp/home
        rm -f /usr/sbin/policy-rc.d /etc/nginx/sites-enabled/* # the machine's own sites
        # What runs in the background ends with the first process of the namespace.
        HOME=/tmp/home unshare -n -p --fork --mount-proc sh -ec 'ip link set lo up; timeout 120 bash /tmp/typed 2>/tmp/errors </dev/null; true'
        echo @@@; tail -n 20 /tmp/errors
    """)
    *printed, rest, errors = said.split("@@@\n")[1:]
    assert len(printed) == len(steps()), errors
    return printed, rest, errors


def test_the_commands_of_the_page_print_what_it_says(installed):
    printed, _, errors = typed(installed)
    assert len([expected for _, expected in steps() if expected]) == 2
    for said, (commands, expected) in zip(printed, steps()):
        assert expected is None or said == expected, (commands, errors)


def test_a_client_cannot_name_itself_to_the_application(installed):
    forged = "-H 'X-Client-Subject: CN=admin' -H 'X-Client-Verify: SUCCESS'"
    _, rest, _ = typed(installed, after=f"get {forged} https://localhost/; get {forged} --cert alice.pem --key alice.key https://localhost/secure/")
    assert rest == "/: subject '', length ''\n/secure/: subject 'CN=alice,O=Example', length ''\n"


def test_a_reload_after_the_steps_keeps_the_location_protected(installed):
    _, rest, _ = typed(installed, after="sudo systemctl reload nginx; get -o /dev/null -w '%{http_code}' https://localhost/secure/")
    assert rest == "403"
