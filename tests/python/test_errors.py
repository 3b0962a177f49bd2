"""Errors: their classes, texts, numbers, and that they change nothing."""

import pytest

import keyslot


def test_the_classes_are_a_tree():
    assert issubclass(keyslot.ResponseError, keyslot.KeyslotError)
    assert issubclass(keyslot.MovedError, keyslot.AskError)
    for name in keyslot.__all__:
        value = getattr(keyslot, name)
        if isinstance(value, type) and issubclass(value, Exception):
            assert issubclass(value, keyslot.KeyslotError)
            assert value.__doc__


def test_a_plain_error_has_its_text_without_the_prefix(engine):
    engine.set("key", "text")
    with pytest.raises(keyslot.ResponseError) as caught:
        engine.incr("key")
    assert type(caught.value) is keyslot.ResponseError
    assert str(caught.value) == "value is not an integer or out of range"
    assert (caught.value.number, caught.value.kind) == (1, "ERR")
    assert engine.get("key") == b"text"


def test_an_unknown_command_is_named(engine):
    with pytest.raises(keyslot.ResponseError) as caught:
        engine.execute("NOPE", "a", "b\r\nc")
    text = "unknown command 'NOPE', with args beginning with: 'a' 'b  c' "
    assert str(caught.value) == text


def test_wrong_numbers_of_words(engine):
    with pytest.raises(keyslot.ResponseError, match="wrong number of arguments for 'get' command"):
        engine.execute("GET")
    with pytest.raises(keyslot.ResponseError, match="wrong number of arguments for 'del' command"):
        engine.delete()
    with pytest.raises(TypeError):
        engine.get()


@pytest.mark.parametrize(
    ("number", "kind", "line", "error", "text"),
    [
        (1, "ERR", "ERR any", keyslot.ResponseError, "any"),
        (2, "WRONGTYPE", "WRONGTYPE Op", keyslot.WrongTypeError, "WRONGTYPE Op"),
        (3, "OOM", "OOM no room", keyslot.OutOfMemoryError, "no room"),
        (4, "BUSYKEY", "BUSYKEY Target", keyslot.BusyKeyError, "BUSYKEY Target"),
        (5, "NOPROTO", "NOPROTO sorry", keyslot.ResponseError, "NOPROTO sorry"),
        (8, "TRYAGAIN", "TRYAGAIN keys", keyslot.TryAgainError, "keys"),
        (9, "CROSSSLOT", "CROSSSLOT keys", keyslot.ClusterCrossSlotError, "keys"),
        (10, "CLUSTERDOWN", "CLUSTERDOWN slot", keyslot.ClusterDownError, "slot"),
        (12, "NOAUTH", "NOAUTH please", keyslot.AuthenticationError, "please"),
        (21, "", "ODD one", keyslot.ResponseError, "ODD one"),
    ],
)
def test_each_kind_has_its_class(number, kind, line, error, text):
    made = keyslot.exceptions.error_from_reply(number, kind, line)
    assert type(made) is error
    assert (str(made), made.number) == (text, number)
    assert made.kind == line.split(" ")[0]


def test_a_redirection_says_where_to(engine):
    made = keyslot.exceptions.error_from_reply(6, "MOVED", "MOVED 866 ::1:6379")
    assert type(made) is keyslot.MovedError
    assert (made.slot_id, made.host, made.port) == (866, "::1", 6379)
    assert made.node_addr == ("::1", 6379)
    assert str(made) == "866 ::1:6379"
