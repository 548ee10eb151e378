"""Expansion of parameters, beside the bash of this machine."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from eggcrate.cloud.expansions import ExpansionError, expand

_BASH = shutil.which("bash")
_VALUE = st.text(alphabet="abAB-_/. é", max_size=8)
_WORD = st.text(alphabet="abAB-_.", max_size=4)
_GLOB = st.text(alphabet="abAB-_.*?", max_size=4) | st.sampled_from(
    ["[ab]", "[!a]*", "*[A-Z]", "a[a-b]"]
)


_NUMBER = st.integers(-9, 9)
_FORMS = st.one_of(
    st.sampled_from(["$_X", "${_X}", "${#_X}", "$_X-$_Y", "a${_X}b", "${_X:-${_Y##*/}}"]),
    st.builds("${{_X{}{}}}".format, st.sampled_from([":-", "-", ":+", "+"]), _WORD),
    st.builds(
        "${{_X{}{}}}".format,
        st.sampled_from(["^", "^^", ",", ",,"]),
        st.sampled_from(["", "a", "[abAB]", "?"]),
    ),
    st.builds("${{_X{}{}}}".format, st.sampled_from(["#", "##", "%", "%%"]), _GLOB),
    st.builds("${{_X{}{}/{}}}".format, st.sampled_from(["/", "//", "/#", "/%"]), _GLOB, _WORD),
    st.builds("${{_X: {}}}".format, _NUMBER),
    st.builds("${{_X: {}:{}}}".format, _NUMBER, _NUMBER),
)
_CASES = st.lists(st.tuples(_FORMS, _VALUE, _VALUE), min_size=20, max_size=20)


@pytest.mark.skipif(not _BASH, reason="bash is not installed")
@settings(max_examples=60, deadline=None)
@given(_CASES)
@example([("${_X//-/_}", "feature-a-b", ""), ("${_X##*/}", "a/b/c", ""), ("${_X/#/x}", "a", "")])
@example([("${_X//*/b}", "aa", ""), ("${_X%%[!a]*}", "abab", ""), ("${_X: -3:2}", "abcd", "")])
def test_every_form_is_as_bash_does_it(cases: list[tuple[str, str, str]]) -> None:
    """What bash makes of a form and a value, we make of it; what it refuses, we refuse."""
    script = "LC_ALL=C.UTF-8\nshopt -u patsub_replacement 2>/dev/null\n"
    for number, (form, x, y) in enumerate(cases):
        script += f"( _X='{x}'; _Y='{y}'; printf '%s:%s\\0' {number} \"{form}\" ) 2>/dev/null\n"
    told = subprocess.run([_BASH, "-c", script], capture_output=True, check=False, text=True)  # type: ignore[list-item]
    answers = dict(part.split(":", 1) for part in told.stdout.split("\0") if part)
    for number, (form, x, y) in enumerate(cases):
        expected = answers.get(str(number))
        try:
            found: str | None = expand(form, {"_X": x, "_Y": y}.__getitem__)
        except ExpansionError:
            found = None
        assert found == expected, (form, x, y)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$$HOME", "$HOME"),
        ("100$", "100$"),
        ("$1", "$1"),
        ("${NOT:-${_X^^}}", "AB"),
        ("${_X/b/${_Y}}", "ac/d"),
        (r"${_Y/\//-}", "c-d"),
        ("${_Y%${_Z}}", "c"),
    ],
)
def test_dollars_and_forms_in_forms(text: str, expected: str) -> None:
    """A dollar that begins nothing stands; words and patterns hold forms of their own."""
    values = {"_X": "ab", "_Y": "c/d", "_Z": "/d"}
    assert expand(text, lambda name: values.get(name, "")) == expected


@pytest.mark.parametrize("text", ["${_X", "${}", "${_X!}", "${1}", "${_X:a}", "${#}", "${_X:?no}"])
def test_what_is_no_form_is_refused(text: str) -> None:
    """Nothing that cannot be expanded passes as text."""
    with pytest.raises(ExpansionError):
        expand(text, lambda _: "")
