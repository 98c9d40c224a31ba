"""script/lint-house on small trees: each rule catches what breaks it, names the place, and leaves the good one alone."""

import pathlib
import subprocess

import pytest

LINT = pathlib.Path(__file__).resolve().parents[2] / "script/lint-house"

GOOD = {
    "include/thaw/types.h": "#ifndef THAW_TYPES_H\n#define THAW_TYPES_H\n\n#include <stddef.h>\n\n"
    "#ifdef __cplusplus\nextern \"C\" {\n#endif\n#ifdef __cplusplus\n}\n#endif\n#endif\n",
    "src/base/error.h": '#ifndef BASE_ERROR_H\n#define BASE_ERROR_H\n\n#include "thaw/types.h"\n\n#endif\n',
    "src/base/error.c": '#include "base/error.h"\n\nint error_is(int code)\n{\n\treturn code != 0;\n}\n',
    "src/tls/server.h": '#include "base/error.h"\n',
    "src/tls/session.h": '#include "base/error.h"\n',
    "src/tls/server.c": '#include <openssl/ssl.h>\n\n#include "tls/server.h"\n',
    "src/gateway/conn.c": '#include "base/error.h"\n#include "tls/server.h"\n',
}  # fmt: skip


def function(lines, name="long_one"):
    return f"int {name}(int n)\n{{\n" + "\tn++;\n" * (lines - 4) + "\treturn n;\n}\n"


# What each bad tree adds to the good one, and the complaint that must come.
BAD = {
    "upwards": ({"src/base/up.c": '#include "tls/server.h"\n'}, "src/base/up.c:1: base may not include src/tls/server.h"),
    "sideways": ({"src/spool/key.c": '#include "tls/server.h"\n'}, "src/spool/key.c:1: spool may not include"),
    "upwards in angle brackets": ({"src/base/up.c": "#include <tls/server.h>\n"}, "src/base/up.c:1: base may not"),
    "upwards in a header": ({"src/base/up.h": '# include "tls/server.h"\n'}, "src/base/up.h:1: base may not include"),
    "a header that is not meant": (
        {"src/gateway/peek.c": '#include "tls/session.h"\n'},
        "src/gateway/peek.c:1: of tls, gateway may include ",
    ),
    "a folder without a layer": ({"src/misc/all.c": "int x;\n"}, "src/misc/all.c: src/misc has no layer"),
    "an unknown header": ({"src/base/x.c": '#include "error.h"\n'}, 'src/base/x.c:1: "error.h" is neither below'),
    "openssl outside tls": ({"src/gateway/x.c": "#include <openssl/ssl.h>\n"}, "<openssl/ssl.h> is for src/tls only"),
    "libev outside loop": ({"src/gateway/x.c": "#include <ev.h>\n"}, "<ev.h> is for src/loop only"),
    "nghttp2 outside http": ({"src/loop/x.c": "#include <nghttp2/nghttp2.h>\n"}, "is for src/http only"),
    "libyaml outside config": ({"src/cli/x.c": "#include <yaml.h>\n"}, "<yaml.h> is for src/config only"),
    "jansson in the engine": ({"src/tls/x.c": "#include <jansson.h>\n"}, "<jansson.h> is for src/admin, src/cli, src/demo, src/gateway"),
    "openssl in a public header": ({"include/thaw/x.h": "#include <openssl/ssl.h>\n"}, "a public header includes openssl"),
    "our own in a public header": ({"include/thaw/x.h": '#include "base/error.h"\n'}, "a public header includes base/error.h"),
    "a system header in public": ({"include/thaw/x.h": "#include <unistd.h>\n"}, "a public header includes unistd.h"),
    "a cycle": (
        {"src/http/a.h": '#include "http/b.h"\n', "src/http/b.h": '#include "http/a.h"\n'},
        "include cycle: src/http/a.h -> src/http/b.h -> src/http/a.h",
    ),
    "a header that includes itself": ({"src/http/a.h": '#include "http/a.h"\n'}, "src/http/a.h: include cycle"),
    "a call circle": (
        {"src/http/a.c": "int a(void)\n{\n\treturn b();\n}\n", "src/http/b.c": "int b(void)\n{\n\treturn a();\n}\n"},
        "src/http/a.c: call circle: a.c -> b.c -> a.c",
    ),
    "a call circle through a type that is a macro": (
        {
            "src/tls/a.c": "STACK_OF(X509) * a(void)\n{\n\treturn b();\n}\n",
            "src/tls/b.c": "void *b(void)\n{\n\treturn a();\n}\n",
        },
        "src/tls/a.c: call circle: a.c -> b.c -> a.c",
    ),
    "a function too long": ({"src/http/x.c": function(101)}, "src/http/x.c: long_one() has 101 lines; at most 100"),
    "most functions too long": (
        {"src/http/x.c": "\n".join(function(46, f"f{i}") for i in range(4))},
        "src: one function in ten is over 46 lines",
    ),
    "a file too long": ({"src/http/x.c": "int x;\n" * 1001}, "src/http/x.c: 1001 lines; at most 1000"),
    "too many own includes": (
        {f"src/http/h{i}.h": "\n" for i in range(7)}
        | {"src/http/x.c": "".join(f'#include "http/h{i}.h"\n' for i in range(7))},
        "src/http/x.c: 7 own includes; at most 6",
    ),
    "too much #if": ({"src/http/x.c": "#if 1\n#endif\n#ifdef A\n#endif\n"}, "#if per 1000 lines; at most 2.0"),
    "an open end": ({"src/http/x.c": "int x; /* TODO: more */\n"}, "src/http/x.c:1: an open end"),
    "an open end in a test": ({"tests/unit/x.c": "\n/* FIXME */\n"}, "tests/unit/x.c:2: an open end"),
    "a star without a blank": ({"tests/unit/x.c": "/*\n * one\n *two\n */\n"}, "tests/unit/x.c:3: no blank after the star"),
    "white space": ({"fuzz/x.c": "int x; \n"}, "fuzz/x.c:1: white space at the end of the line"),
    "a path of a machine": ({"src/cli/x.c": 'const char *x = "/home/me/pki";\n'}, "src/cli/x.c:1: a path of some machine"),
    "no sources": (dict.fromkeys(GOOD), "no sources here"),
}  # fmt: skip

# What stays within the rules, on their very edge.
FINE = {
    "as it is": {},
    "a function as long as allowed": {
        "src/http/x.c": function(100) + "\n".join(function(5, f"short{i}") for i in range(20))
    },
    "a file as long as allowed": {"src/http/x.c": "int x;\n" * 1000},
    "six own includes": {f"src/http/h{i}.h": "\n" for i in range(6)}
    | {"src/http/x.c": "#include <stdio.h>\n" + "".join(f'#include "http/h{i}.h"\n' for i in range(6))},
    "a diamond": {
        "src/http/a.h": '#include "http/b.h"\n#include "http/c.h"\n',
        "src/http/b.h": '#include "http/d.h"\n',
        "src/http/c.h": '#include "http/d.h"\n',
        "src/http/d.h": "\n",
    },
    "calls one way, and a struct named as a function of the caller": {
        "src/http/a.c": "int a(void)\n{\n\treturn b();\n}\n",
        "src/http/b.c": "struct a;\nint a_is(struct a *);\nint b(void)\n{\n\tstatic int a_b;\n\treturn a_b;\n}\n",
    },
    "a test that includes what it tests": {"tests/unit/x.c": '#include "tls/session.h"\n#include <openssl/ssl.h>\n'},
}  # fmt: skip


def lint(top, added):
    for name, text in {**GOOD, **added}.items():
        if text is not None:
            (top / name).parent.mkdir(parents=True, exist_ok=True)
            (top / name).write_text(text)
    return subprocess.run([LINT, top], capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("name", BAD)
def test_caught(name, tmp_path):
    added, complaint = BAD[name]
    done = lint(tmp_path, added)
    assert done.returncode == 1
    assert complaint in done.stderr
    assert len(done.stderr.splitlines()) == 1, "another rule caught it, too"


@pytest.mark.parametrize("name", FINE)
def test_left_alone(name, tmp_path):
    done = lint(tmp_path, FINE[name])
    assert (done.returncode, done.stderr) == (0, "")
