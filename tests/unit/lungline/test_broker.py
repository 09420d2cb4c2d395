"""The address of Redis: taken apart once, so that no library reads its options its own way."""

import ssl

import pytest

from lungline.broker import answers, explain, parse
from lungline.errors import SettingsError
from lungline.settings import load


def test_tls_is_checked_unless_the_address_says_otherwise() -> None:
    assert parse("redis://:p@host:6379/0").tls == {}
    address = parse("rediss://:p@host:6380/0", "/ca.pem")
    assert address.url == "rediss://:p@host:6380/0"
    assert address.tls == {"ssl_cert_reqs": ssl.CERT_REQUIRED, "ssl_check_hostname": True, "ssl_ca_certs": "/ca.pem"}
    assert not address.is_unverified
    for options in ("ssl_cert_reqs=required", "ssl_cert_reqs=CERT_REQUIRED", "ssl_cert_reqs=optional", "ssl_check_hostname=True"):
        assert parse(f"rediss://host?{options}") == parse("rediss://host")


@pytest.mark.parametrize("options", ["ssl_cert_reqs=none", "ssl_cert_reqs=CERT_NONE", "ssl_check_hostname=False"])
def test_no_check_is_known_as_such(options: str) -> None:
    address = parse(f"rediss://host/0?{options}")
    assert address.url == "rediss://host/0"
    assert address.is_unverified


def test_setting_wins_over_address_and_own_certificate_is_kept() -> None:
    address = parse("rediss://host?ssl_ca_certs=/theirs.pem&ssl_certfile=/a%20b.pem&ssl_keyfile=/k.pem", "/ours.pem")
    assert [address.tls[name] for name in ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")] == ["/ours.pem", "/a b.pem", "/k.pem"]


@pytest.mark.parametrize(
    "url",
    [
        "rediss://:planted-secret@host/0?ssl_cert_reqs=sometimes",
        "rediss://:planted-secret@host/0?ssl_check_hostname=perhaps",
        "rediss://:planted-secret@host/0?ssl_cert_req=none",
        "rediss://host/0?password=planted-secret",
        "redis://:planted-secret@host/0?ssl_ca_certs=/ca.pem",
        "redis://:planted-secret@host/0?health_check_interval=2",
    ],
)
def test_an_option_that_is_none_is_refused_by_the_settings_name(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUNGLINE_BROKER_URL", url)
    with pytest.raises(SettingsError, match=r"^LUNGLINE_BROKER_URL: ") as refused:
        load()
    assert "planted-secret" not in str(refused.value)


@pytest.mark.parametrize("url", ["", "redis://host/0"])
def test_a_ca_without_tls_is_refused(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUNGLINE_BROKER_URL", url)
    monkeypatch.setenv("LUNGLINE_BROKER_CA", "/ca.pem")
    with pytest.raises(SettingsError, match=r"^LUNGLINE_BROKER_CA: needs .* rediss://"):
        load()


def test_error_is_explained_by_its_cause_even_in_a_cycle() -> None:
    outer, inner = OSError("planted-secret"), ssl.SSLError("planted-secret")
    outer.__cause__, inner.__cause__ = inner, outer
    assert "agree on no TLS" in explain(outer)
    assert "Redis does not answer" in explain(OSError("planted-secret"))


@pytest.mark.parametrize("address", ["", "redis://127.0.0.1:1/0"])
def test_where_there_is_no_broker_none_answers(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUNGLINE_BROKER_URL", address)
    assert not answers(load())
