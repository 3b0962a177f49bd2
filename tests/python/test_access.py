"""Users and what they may do, by redis-py's names."""

import pytest

import keyslot

DIGEST = "fcde2b2edba56bf408601fb721fe9b5c338d10ee429ea04fae5511b68fbf8fb9"


def test_users_are_made_told_and_removed(engine):
    assert engine.acl_whoami() == "default"
    made = engine.acl_setuser(
        "u",
        enabled=True,
        passwords=["+bar", "+other", "-other"],
        categories=["+@read", "-string"],
        commands=["+set", "-keys"],
        keys=["a*", "%R~b*"],
        channels=["news.*"],
        selectors=[("+get", "~c*")],
        reset=True,
    )
    assert made is True
    assert engine.acl_users() == ["default", "u"]
    assert engine.acl_getuser("u") == {
        "flags": ["on", "sanitize-payload"],
        "passwords": [DIGEST],
        "commands": ["+set", "-keys"],
        "categories": ["-@all", "+@read", "-@string"],
        "keys": ["~a*", "%R~b*"],
        "channels": ["&news.*"],
        "selectors": [{"commands": "-@all +get", "keys": "~c*", "channels": ""}],
        "enabled": True,
    }
    rules = "~a* %R~b* resetchannels &news.* -@all +@read -@string +set -keys"
    selector = "(~c* resetchannels -@all +get)"
    assert engine.acl_list()[1] == f"user u on sanitize-payload #{DIGEST} {rules} {selector}"
    assert engine.acl_getuser("nobody") is None
    assert engine.acl_dryrun("u", "SET", "a1", "v") == "OK"
    denied = "User u has no permissions to access the 'b1' key"
    assert engine.acl_dryrun("u", "SET", "b1", "v") == denied
    assert engine.acl_deluser("u", "nobody") == 1


def test_a_session_may_what_its_user_may(engine):
    engine.acl_setuser("u", enabled=True, passwords="+p", keys=["a*"], commands=["+get", "+set"])
    with engine.session() as session:
        assert session.execute("AUTH", "u", "p") == b"OK"
        assert session.set("a", 1) is True
        for call in (lambda: session.get("b"), lambda: session.delete("a"), session.acl_users):
            with pytest.raises(keyslot.NoPermissionError):
                call()
    reasons = [entry["reason"] for entry in engine.acl_log()]
    assert reasons == ["command", "command", "key"]
    newest = engine.acl_log(1)[0]
    assert (newest["object"], newest["username"], newest["count"]) == ("acl|users", "u", 1)
    assert newest["client-info"]["user"] == "u"
    assert newest["age-seconds"] >= 0.0
    assert engine.acl_log_reset() is True
    assert engine.acl_log() == []


def test_passwords_are_made_and_differ():
    with keyslot.Engine() as one, keyslot.Engine() as other:
        first, second = one.acl_genpass(), other.acl_genpass()
        assert len(first) == len(second) == 64
        assert first != second
        assert len(one.acl_genpass(12)) == 3


def test_categories_hold_commands(engine):
    assert "string" in engine.acl_cat()
    assert "get" in engine.acl_cat("string")


def test_rules_without_a_sign_are_refused(engine):
    for wrong in (
        {"passwords": "secret"},
        {"hashed_passwords": [DIGEST]},
        {"categories": ["read"]},
        {"commands": ["get"]},
        {"selectors": [("get", "~a")]},
        {"selectors": [("+get", "a")]},
        {"nopass": True, "passwords": "+p"},
    ):
        with pytest.raises(keyslot.DataError) as raised:
            engine.acl_setuser("u", **wrong)
        assert "secret" not in str(raised.value)
    for call in (engine.acl_load, engine.acl_save):
        with pytest.raises(keyslot.ResponseError, match="not configured to use an ACL file"):
            call()
