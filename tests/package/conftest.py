"""The packages, built once, and a way to run commands where they have just been installed."""

import os
import pathlib
import shutil
import subprocess

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
OVERLAY = """
set -e
mount -t tmpfs none {base}
mkdir {base}/upper {base}/work {base}/root
mount -t overlay overlay -o lowerdir=/,upperdir={base}/upper,workdir={base}/work {base}/root
mount -t proc proc {base}/root/proc
mount --rbind /dev {base}/root/dev
cp -r {files} {base}/root/tmp/
exec chroot {base}/root /bin/bash -e -o pipefail -c "$1"
"""


@pytest.fixture(scope="session")
def debs():
    if not shutil.which("dpkg-deb"):
        pytest.skip("dpkg-deb is not there")
    subprocess.run([TOP / "script" / "package"], check=True, stdout=subprocess.DEVNULL, timeout=600)
    found = sorted((TOP / "build" / "package").glob("*.deb"))
    named = {deb.name.split("_")[0]: deb for deb in found}
    assert sorted(named) == ["libnginx-mod-http-thaw", "libthaw-curl-dev", "libthaw-curl1", "libthaw-dev", "libthaw1", "thaw"]
    return named


@pytest.fixture
def installed(debs, tmp_path):
    """installed(commands): what they print, run where the packages have just been installed; /tmp has the examples."""

    def run(commands, install="dpkg -i /tmp/*.deb >/dev/null"):
        files = [*debs.values(), *(TOP / "examples").iterdir()]
        script = OVERLAY.format(base=tmp_path, files=" ".join(map(str, files)))
        done = subprocess.run(["unshare", "-m", "sh", "-c", script, "sh", f"{install}\n{commands}"], capture_output=True,
                              text=True, timeout=300)
        if "mount" in done.stderr and done.returncode != 0 and "permission denied" in done.stderr.lower():
            pytest.skip("no overlay can be mounted here: " + done.stderr.strip().splitlines()[-1])
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    if os.geteuid() != 0:
        pytest.skip("installing packages takes root")
    return run
