"""How Python values become words, and what is refused."""

import enum

import pytest

import keyslot


class Colour(enum.IntEnum):
    RED = 3


class Loud(float):
    def __repr__(self):
        return "LOUD"


@pytest.mark.parametrize(
    ("value", "word"),
    [
        (b"\x00\xff\r\n", b"\x00\xff\r\n"),
        (b"", b""),
        ("", b""),
        ("text", b"text"),
        ("snow \u2603 and \U0001f600", "snow \u2603 and \U0001f600".encode()),
        (0, b"0"),
        (-7, b"-7"),
        (2**63 - 1, b"9223372036854775807"),
        (2**70, b"1180591620717411303424"),
        (-(2**70), b"-1180591620717411303424"),
        (Colour.RED, b"3"),
        (1.0, b"1.0"),
        (0.1, b"0.1"),
        (1e100, b"1e+100"),
        (float("inf"), b"inf"),
        (Loud(2.5), b"2.5"),
        (bytearray(b"array"), b"array"),
        (memoryview(b"view"), b"view"),
        (memoryview(b"v-i-e-w")[::2], b"view"),
    ],
)
def test_a_value_is_stored_as_redis_py_would_encode_it(engine, value, word):
    assert engine.set("value", value) is True
    assert engine.get("value") == word
    assert engine.execute("SET", value, "by that name") == b"OK"
    assert engine.get(word) == b"by that name"


@pytest.mark.parametrize("value", [True, False, None, [1], {"a": 1}, object(), ("a",), 1j])
def test_what_is_no_word_is_refused_and_changes_nothing(engine, value):
    engine.set("key", "before")
    with pytest.raises(keyslot.DataError, match="Invalid input of type: '"):
        engine.set("key", value)
    with pytest.raises(keyslot.DataError, match=type(value).__name__):
        engine.execute("SET", "key", value)
    assert engine.get("key") == b"before"


def test_the_refusal_has_redis_pys_words(engine):
    with pytest.raises(keyslot.DataError) as caught:
        engine.get(None)
    assert str(caught.value) == (
        "Invalid input of type: 'NoneType'. Convert to a bytes, string, int or float first."
    )


def test_text_that_has_no_utf8_is_refused(engine):
    with pytest.raises(UnicodeEncodeError):
        engine.get("\ud800")


def test_subclasses_of_bytes_and_str_are_words(engine):
    class Name(str):
        pass

    class Data(bytes):
        pass

    engine.set(Name("name"), Data(b"data"))
    assert engine.get(Data(b"name")) == b"data"


def test_large_values_come_back_whole(engine):
    value = bytes(range(256)) * 40_000
    engine.set("large", value)
    assert engine.get("large") == value
    assert engine.execute("GET", "large") == value


def test_what_comes_back_is_bytes_of_its_own(engine):
    engine.set("key", "one")
    value = engine.get("key")
    engine.set("key", "two")
    assert value == b"one"
    assert type(value) is bytes
