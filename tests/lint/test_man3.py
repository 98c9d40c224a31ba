"""script/man3: the manual pages of section 3 are what the headers say, and read as manual pages."""

import os
import pathlib
import re
import shutil
import subprocess

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
HEADER = """/*
 * The thing: what it is for.
 *
 * How it is used:
 *
 *	thaw_thing *thing = thaw_thing_new(3);
 *
 *   1. First, with
 *      thaw_thing_new().
 */
#ifndef THAW_THING_H
#define THAW_THING_H

#include <thaw/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct ssl_st;

typedef struct thaw_thing thaw_thing;

#define THAW_THING_MAX 7 /* the most */

/* Its kinds. */
enum thaw_kind {
	THAW_KIND_ONE,
	THAW_KIND_TWO, /* the second,
			  and last */
};

/* How it is made. */
struct thaw_thing_options {
	size_t size; /* its size */
	/* Two limits,
	   of which one holds. */
	uint64_t first, second;
	bool third;
	void (*call)(void *arg, int n); /* called */
};

/* Makes one. See thaw/ask.h. */
thaw_thing *thaw_thing_new(int n) THAW_MUST_CHECK;

/* What else there is to say. */

void thaw_thing_free(thaw_thing **thing);

#ifdef __cplusplus
}
#endif
#endif
"""


@pytest.fixture
def tree(tmp_path):
    for folder in ("script", "include/thaw", "packaging"):
        (tmp_path / folder).mkdir(parents=True)
    shutil.copy(TOP / "script/man3", tmp_path / "script/man3")
    (tmp_path / "CMakeLists.txt").write_text("project(thaw VERSION 9.8.7 LANGUAGES C)\n")
    (tmp_path / "include/thaw/thing.h").write_text(HEADER)
    return tmp_path


def man3(tree, *arguments):
    return subprocess.run([tree / "script/man3", *arguments], capture_output=True, text=True, check=False)


def shown(page):
    """The page as a reader has it, without what only lays it out; and what groff has to say against it."""
    settings = {**os.environ, "LC_ALL": "C.UTF-8", "MANWIDTH": "80", "MAN_KEEP_FORMATTING": ""}
    done = subprocess.run(["man", "--warnings", "-l", page], capture_output=True, text=True, check=True, env=settings)
    return re.sub(r"\s+", " ", done.stdout), done.stderr


def test_the_pages_are_what_the_headers_say():
    done = man3(TOP, "--check")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", sorted((TOP / "packaging/man3").glob("*.3")), ids=lambda page: page.stem)
def test_a_page_has_no_warnings(page):
    text, warnings = shown(page)
    assert warnings == "" and "NAME" in text and "/*" not in text and "*/" not in text


def test_what_a_page_has_of_its_header(tree):
    assert man3(tree).returncode == 0
    text, warnings = shown(tree / "packaging/man3/thaw_thing.3")
    assert warnings == ""
    for part in (
        "THAW_THING(3)",
        "Thaw 9.8.7",
        "NAME thaw_thing, thaw_thing_new, thaw_thing_free - The thing: what it is for SYNOPSIS",
        "#include <thaw/thing.h> typedef struct thaw_thing thaw_thing; thaw_thing *thaw_thing_new(int n); void thaw_thing_free(",
        "DESCRIPTION How it is used: thaw_thing *thing = thaw_thing_new(3); 1. First, with thaw_thing_new().",
        "THAW_THING_MAX #define THAW_THING_MAX 7 The most.",
        "enum thaw_kind Its kinds. THAW_KIND_ONE THAW_KIND_TWO The second, and last.",
        "size_t size Its size. uint64_t first, second bool third Two limits, of which one holds. void (*call)(void *arg, int n) Called.",
        "thaw_thing_new() Makes one. See thaw_ask(3). What else there is to say. thaw_thing_free()",
    ):
        assert part in text, part
    assert "ssl_st" not in text and "MUST_CHECK" not in text


def test_a_page_that_is_not_what_its_header_says_fails(tree):
    assert man3(tree).returncode == 0 and man3(tree, "--check").returncode == 0
    header = tree / "include/thaw/thing.h"
    header.write_text(HEADER.replace("Makes one", "Makes two"))
    done = man3(tree, "--check")
    assert done.returncode != 0 and "thaw_thing.3" in done.stderr
    assert man3(tree).returncode == 0 and man3(tree, "--check").returncode == 0


def test_a_page_without_a_header_fails_and_is_removed(tree):
    assert man3(tree).returncode == 0
    left = tree / "packaging/man3/thaw_gone.3"
    left.write_text("")
    assert "thaw_gone.3" in man3(tree, "--check").stderr
    assert man3(tree).returncode == 0 and not left.exists()
