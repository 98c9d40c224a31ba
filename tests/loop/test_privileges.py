"""The user of the workers, and what workers cannot do. Most tests need root; the others need another user."""

import grp
import itertools
import json
import os
import pathlib
import pwd
import shutil
import signal
import subprocess

import pytest
from harness.gateway import binary
from harness.process import kill_group, popen, run
from messages import at_level, error_of, has_message
from peer import LIMIT, Client, is_running, wait
from test_reload import EX_CONFIG, refused, reload, reloaded
from test_supervision import MIB, withhold

CAP_DAC_OVERRIDE = 1
USER, GROUP, OTHER_GROUP = "nobody", "nogroup", "games"
UID, GID = pwd.getpwnam(USER).pw_uid, grp.getgrnam(GROUP).gr_gid

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


def status(pid):
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, value in (line.split(":", 1) for line in lines)}


@pytest.fixture
def open_folder(tmp_path_factory):
    """A folder that other users can access; pytest's own folders are only for the user who runs the tests."""
    folder = pathlib.Path(subprocess.check_output(["mktemp", "-d", "/var/tmp/thaw-test-XXXXXX"], text=True).strip())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def is_the_user(pid, gid=GID, groups=(GID,)):
    fields = status(pid)
    assert fields["Uid"].split() == [str(UID)] * 4
    assert fields["Gid"].split() == [str(gid)] * 4
    assert fields["Groups"].split() == [str(g) for g in groups]
    assert fields["NoNewPrivs"] == "1"
    for which in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
        assert int(fields[which], 16) == 0, which


# ---- root


@as_root
def test_workers_are_the_user_and_the_master_is_not(serve, settings):
    gateway = serve("-c", settings(workers=2, more=f"user: {USER}\n"))
    assert status(gateway.process.pid)["Uid"].split() == ["0"] * 4
    assert len(gateway.workers()) == 2
    for pid in gateway.workers():
        is_the_user(pid)
    assert Client(gateway).get_json("/late")["certificate"]["subject"] == "CN=Thaw Demo Client"


@as_root
def test_a_group_of_one_s_own(serve, settings):
    gid = grp.getgrnam(OTHER_GROUP).gr_gid
    gateway = serve("-c", settings(workers=1, more=f"user: {USER}\ngroup: {OTHER_GROUP}\n"))
    (pid,) = gateway.workers()
    is_the_user(pid, gid, (gid,))


@as_root
def test_without_the_user_setting_workers_keep_the_user(serve, settings):
    """As for root in a container, and with a warning: workers keep only the capability to access files of other
    users."""
    gateway = serve("-c", settings(workers=1))
    assert gateway.wait_messages("workers-are-root", "warning", "key 'user'")
    (pid,) = gateway.workers()
    fields = status(pid)
    assert fields["Uid"].split() == ["0"] * 4
    assert fields["NoNewPrivs"] == "1"
    assert int(fields["CapEff"], 16) == int(fields["CapPrm"], 16) == 1 << CAP_DAC_OVERRIDE
    assert int(fields["CapInh"], 16) == int(fields["CapAmb"], 16) == 0
    assert Client(gateway).get_json("/late")["certificate"]["subject"] == "CN=Thaw Demo Client"


@as_root
def test_a_worker_that_died_is_replaced_by_one_without_rights(serve, settings):
    gateway = serve("-c", settings(workers=1, more=f"user: {USER}\n"))
    (first,) = gateway.workers()
    os.kill(first, signal.SIGKILL)
    (second,) = wait("another", lambda: [w for w in gateway.workers() if w != first])
    wait("it to serve", lambda: Client(gateway).get_json())
    is_the_user(second)


@as_root
def test_workers_do_not_outlive_their_master(serve, settings):
    """The kernel clears the parent-death signal when a process changes its user."""
    gateway = serve("-c", settings(workers=2, more=f"user: {USER}\n"))
    workers = gateway.workers()
    gateway.process.kill()
    wait("the workers to end", lambda: not [w for w in workers if is_running(w)])


@as_root
def test_keys_that_only_root_reads_are_read_again_at_a_reload(serve, settings, pki, tmp_path):
    key, pem = tmp_path / "root.key", tmp_path / "root.pem"
    key.write_bytes((pathlib.Path(pki) / "server.key").read_bytes())
    pem.write_bytes((pathlib.Path(pki) / "server.pem").read_bytes())
    key.chmod(0o600)
    gateway = serve("-c", settings(workers=1, certificate=(pem, key), more=f"user: {USER}\n"))
    assert Client(gateway).get_json()["path"] == "/"
    reloaded(gateway)
    client = Client(gateway)
    assert client.get_json()["path"] == "/"
    is_the_user(client.worker(gateway))


@as_root
def test_the_user_changes_with_a_reload(serve, settings):
    gateway = serve("-c", settings(workers=1))
    settings(workers=1, more=f"user: {USER}\n")
    reloaded(gateway)
    (pid,) = wait("the new worker", lambda: len(gateway.workers()) == 1 and gateway.workers())
    is_the_user(pid)


@as_root
def test_a_log_that_only_root_may_write_is_opened_anew(serve, settings, tmp_path):
    log = tmp_path / "access.log"
    gateway = serve("-c", settings(workers=1, log=f"{{ access: '{log}' }}", more=f"user: {USER}\n"))
    client = Client(gateway)
    client.get_json("/?1")
    wait("the record", lambda: "/?1" in log.read_text())
    log.rename(tmp_path / "aside")
    gateway.process.send_signal(signal.SIGUSR1)
    wait("the new file", log.exists)
    (pid,) = gateway.workers()
    wait("it to be the worker's", lambda: str(log) in open_files(pid))
    client.get_json("/?2")
    gateway.stop()
    assert [json.loads(line)["target"] for line in log.read_text().splitlines()] == ["/?2"]


def open_files(pid):
    return [os.readlink(fd) for fd in pathlib.Path(f"/proc/{pid}/fd").iterdir()]


# ---- the spool's folder


def disk(folder):
    return f"{{ memory: 4MiB, disk: 64MiB, per_client: 100%, directory: '{folder}' }}"


@as_root
def test_a_folder_that_is_missing_is_made_for_the_user(serve, settings, open_folder):
    spool = open_folder / "spool"
    path = settings(workers=1, spool=disk(spool), more=f"user: {USER}\n")
    assert run([str(binary()), "check", "-c", str(path)], LIMIT)[0] == 0
    assert not spool.exists()  # a check leaves no files
    gateway = serve("-c", path)
    assert (spool.stat().st_uid, spool.stat().st_gid, spool.stat().st_mode & 0o7777) == (UID, GID, 0o700)
    holder = withhold(gateway, 8 * MIB)
    (pid,) = gateway.workers()
    wait("a file on the disk", lambda: [f for f in open_files(pid) if f.startswith(str(spool))])
    holder.close()


@as_root
@pytest.mark.parametrize("at", ["start", "check", "reload"])
def test_a_folder_that_the_user_may_not_use(serve, settings, open_folder, at):
    spool = open_folder / "spool"
    spool.mkdir(mode=0o700)  # owned by root
    gateway = serve("-c", settings(workers=1, more=f"user: {USER}\n"))
    path = settings(workers=1, spool=disk(spool), more=f"user: {USER}\n")
    if at == "reload":
        output = refused(gateway, key="spool.directory")
        assert has_message(output, "spool-not-writable", user=USER, directory=spool)
        return
    code, _, err, _ = run([str(binary()), "serve" if at == "start" else "check", "-c", str(path)], LIMIT)
    assert code == EX_CONFIG and error_of(err).key == "spool.directory"
    assert has_message(err, "spool-not-writable", user=USER, directory=spool), err


@as_root
def test_a_folder_is_not_left_behind_by_a_refusal(settings, open_folder):
    spool = open_folder / "spool"
    path = settings(workers=1, spool=disk(spool), certificate=("/none.pem", "/none.key"), more=f"user: {USER}\n")
    code, _, err, _ = run([str(binary()), "serve", "-c", str(path)], LIMIT)
    assert code == EX_CONFIG
    assert error_of(err).key == "hosts[0].certificate" and b"/none.pem" in err
    assert not spool.exists()


# ---- names


@pytest.mark.parametrize(
    "key, name, code", [("user", "nobody-of-that-name", "no-user"), ("group", "none-of-that-name", "no-group")]
)
@pytest.mark.parametrize("command", ["serve", "check"])
def test_names_that_are_unknown(settings, key, name, code, command):
    exit_code, _, err, _ = run([str(binary()), command, "-c", str(settings(more=f"{key}: {name}\n"))], LIMIT)
    assert exit_code == EX_CONFIG
    assert error_of(err).key == key and has_message(err, code, **{key: name}), err


# ---- not root


def copied(settings, pki, folder, more):
    """Copies the configuration and the files that it names to where the user can read them."""
    for name in ("ca.pem", "server.pem", "server.key"):
        (folder / name).write_bytes((pathlib.Path(pki) / name).read_bytes())
        (folder / name).chmod(0o644)
    path = folder / "thaw.yaml"
    settings(workers=1, certificate=(folder / "server.pem", folder / "server.key"), more=more, path=path)
    path.write_text(path.read_text().replace(str(pki).replace("'", "''"), str(folder)))
    path.chmod(0o644)
    shutil.copy(binary(), folder / "thaw")
    return path


@as_root
@pytest.mark.parametrize("more, code", [(f"user: {USER}\n", 0), ("user: daemon\n", EX_CONFIG), ("", 0)])
def test_without_root_only_the_own_user_is_accepted(settings, pki, open_folder, more, code):
    path = copied(settings, pki, open_folder, more)
    argv = [str(open_folder / "thaw"), "check", "-c", str(path)]
    got, out, err, _ = run(argv, LIMIT, user=UID, group=GID, extra_groups=[])
    assert got == code, (out, err)
    if code != 0:
        assert error_of(err).key == "user" and has_message(err, "cannot-become", user="daemon"), err


@as_root
def test_capabilities_that_were_granted_are_given_up(settings, pki, open_folder):
    """As with AmbientCapabilities=CAP_NET_BIND_SERVICE of systemd: the master has the capability, the workers do
    not."""
    if shutil.which("setpriv") is None:
        pytest.skip("there is no setpriv")
    path = copied(settings, pki, open_folder, "")
    capability = ["--inh-caps", "+net_bind_service", "--ambient-caps", "+net_bind_service"]
    argv = ["setpriv", "--reuid", str(UID), "--regid", str(GID), "--clear-groups", *capability]
    process = popen([*argv, str(open_folder / "thaw"), "serve", "-c", str(path)], stderr=subprocess.PIPE)
    try:
        for line in process.stderr:
            if b"listening on" in line:
                break
        assert int(status(process.pid)["CapEff"], 16) == 1 << 10
        (worker,) = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        is_the_user(worker, groups=())
        assert reload(process.pid)[0] == 0
    finally:
        kill_group(process)


def test_a_good_configuration_has_no_warnings(serve, settings):
    gateway = serve("-c", settings(workers=1, more=f"user: {USER}\n" if os.geteuid() == 0 else ""))
    assert not at_level(gateway, "error", "warning")


# ---- keys that others can read or replace


def warned(path):
    """The warnings of a check that succeeds."""
    code, out, err, _ = run([str(binary()), "check", "-c", str(path), "--json"], LIMIT)
    assert code == 0, err
    return [text for text in json.loads(out)["warnings"] if not has_message(text, "workers-are-root")]


@pytest.fixture
def own_key(settings, pki, open_folder):
    """A configuration with its own copy of the key, in the test's folder."""
    settings()
    for name in ("server.pem", "server.key"):
        (open_folder / name).write_bytes((pathlib.Path(pki) / name).read_bytes())
    key = open_folder / "server.key"
    key.chmod(0o600)
    return settings(certificate=(open_folder / "server.pem", key)), key


@pytest.mark.parametrize(
    "mode, what", [(0o600, None), (0o640, None), (0o400, None), (0o604, "read"), (0o666, "change"), (0o620, "change")]
)
def test_a_key_that_others_can_read_or_change_is_warned_of(own_key, mode, what):
    path, key = own_key
    key.chmod(mode)
    texts = warned(path)
    assert [has_message(text, "mode", file=key, mode=f"{mode:04o}") for text in texts] == [True] * bool(what)
    assert all(has_message(text, "others-can", what=what) for text in texts)
    assert all(error_of(text)[::2] == (str(path), "hosts[0].key") for text in texts)


def test_a_folder_in_which_others_can_replace_the_key_is_warned_of(own_key):
    path, key = own_key
    key.parent.chmod(0o777)
    assert [has_message(text, "folder-mode", file=key, mode="0777") for text in warned(path)] == [True]
    key.parent.chmod(0o1777)
    assert warned(path) == []
    key.parent.chmod(0o755)
    elsewhere = key.parent / "elsewhere"  # the target of a symbolic link, as certbot makes them
    elsewhere.mkdir()
    key.rename(elsewhere / key.name)
    key.symlink_to(elsewhere / key.name)
    elsewhere.chmod(0o777)
    assert [has_message(text, "folder-mode", file=elsewhere / key.name, mode="0777") for text in warned(path)] == [True]


@as_root
def test_a_key_or_a_folder_of_another_user_is_warned_of(own_key):
    path, key = own_key
    os.chown(key, UID, GID)
    assert [has_message(text, "owner", file=key, user=UID) for text in warned(path)] == [True]
    os.chown(key, 0, 0)
    os.chown(key.parent, UID, GID)
    assert [has_message(text, "folder-owner", file=key, user=UID) for text in warned(path)] == [True]


@pytest.fixture
def own_files(own_key, settings, pki, open_folder):
    """The same, with its own copy of the CA."""
    path, _ = own_key
    (open_folder / "ca.pem").write_bytes((pathlib.Path(pki) / "ca.pem").read_bytes())
    quoted = str(pki).replace("'", "''")
    path.write_text(path.read_text().replace(f"{quoted}/ca.pem", f"{open_folder}/ca.pem"))
    return path, open_folder / "ca.pem"


def test_a_ca_or_a_configuration_that_others_can_change_is_warned_of(own_files):
    path, ca = own_files
    assert warned(path) == []
    ca.chmod(0o666)
    (text,) = warned(path)
    assert error_of(text)[::2] == (str(path), "hosts[0].client_certificate.ca") and has_message(text, "mode", file=ca, mode="0666")
    ca.chmod(0o664)
    path.chmod(0o602)
    (text,) = warned(path)
    assert has_message(text, "mode", file=path, mode="0602")
    path.chmod(0o600)
    assert warned(path) == []


@as_root
def test_a_ca_of_another_user_is_warned_of(own_files):
    path, ca = own_files
    os.chown(ca, UID, GID)
    (text,) = warned(path)
    assert has_message(text, "owner", file=ca, user=UID)


@as_root
def test_a_throwaway_folder_of_another_user_is_warned_of(serve, pki, open_folder):
    serve()
    theirs = open_folder / "pki"
    shutil.copytree(pki, theirs)
    os.chown(theirs, UID, GID)
    argv = [str(binary()), "serve", "--pki", str(theirs), "--listen", "127.0.0.1:0"]
    process = popen(argv, stderr=subprocess.PIPE)
    try:
        lines = iter(process.stderr.readline, b"")
        report = list(itertools.takewhile(lambda line: b"listening on" not in line, lines))
    finally:
        kill_group(process)
    assert [line for line in report if has_message(line, "folder-owner", file=theirs / "server.key", user=UID)]
