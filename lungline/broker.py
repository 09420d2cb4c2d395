"""How every process connects to Redis: one address, and one set of TLS options, which verify the server unless the admin says otherwise."""

import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, urlsplit, urlunsplit

from lungline.errors import SettingsError

if TYPE_CHECKING:
    from redis import Redis

    from lungline.settings import Settings

SILENT: Final = "Redis does not answer; see `lungline status` and LUNGLINE_BROKER_URL."
_CERTIFICATE: Final = "The certificate of Redis is not trusted, so no password was sent: "
_HELP: Final = {  # OpenSSL's verify codes
    10: "it has expired. Give Redis a new one.",
    62: "it names another host. Write the host in LUNGLINE_BROKER_URL as the certificate does.",
    64: "it does not name this IP address. Write the host in LUNGLINE_BROKER_URL as the certificate does.",
}
_SIGNED_BY: Final = "set LUNGLINE_BROKER_CA to the file of the CA that signed it."
_NO_TLS: Final = (
    "Redis and this machine agree on no TLS: see whether the port in LUNGLINE_BROKER_URL is the one with TLS, "
    "and whether Redis asks for a certificate of Lungline's own (`ssl_certfile`, docs/deploy.md)."
)
_REQUIREMENTS: Final = {"none": ssl.CERT_NONE, "optional": ssl.CERT_REQUIRED, "required": ssl.CERT_REQUIRED}
_FILES: Final = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
OPTIONS: Final = ("ssl_cert_reqs", "ssl_check_hostname", *_FILES)


@dataclass(frozen=True)
class Address:
    """Where Redis is, and what of its certificate is checked."""

    url: str
    """Without options: each library would read them its own way."""
    tls: Mapping[str, Any] = field(default_factory=dict)
    """By the names of redis-py, which are those of Celery's `broker_use_ssl`; empty without TLS."""

    @property
    def is_unverified(self) -> bool:
        """Whether whoever stands between could read the password: the admin asked for that in LUNGLINE_BROKER_URL."""
        return bool(self.tls) and (self.tls["ssl_cert_reqs"] is ssl.CERT_NONE or not self.tls["ssl_check_hostname"])


def address_of(settings: "Settings") -> Address:
    """The address of this home's broker.

    Raises:
        SettingsError: no broker is known, or a file of certificates cannot be read.
    """
    url = settings.broker
    address = parse(url, str(settings.broker_ca or ""))
    _try_files(address.tls)
    return address


def parse(url: str, ca: str = "") -> Address:
    """Takes an address of Redis apart; `ca` is the file of a CA.

    Raises:
        ValueError: it has an option that is none, or an option of TLS without TLS; its words quote no value.
    """
    parts = urlsplit(url)
    given = dict(parse_qsl(parts.query, keep_blank_values=True))
    plain = urlunsplit(parts._replace(query="", fragment=""))
    if set(given) - set(OPTIONS):
        raise ValueError(f"has an option that Lungline does not know; allowed are {', '.join(OPTIONS)}")
    if parts.scheme != "rediss":
        if given or ca:
            raise ValueError("takes TLS options and a CA file only with rediss://")
        return Address(plain)
    required = given.get("ssl_cert_reqs", "required").lower().removeprefix("cert_")
    check = given.get("ssl_check_hostname", "true").lower()
    if required not in _REQUIREMENTS or check not in ("true", "false"):
        raise ValueError("takes ssl_cert_reqs=required or none, and ssl_check_hostname=true or false")
    files = {name: given[name] for name in _FILES if given.get(name)} | ({"ssl_ca_certs": ca} if ca else {})
    verified = _REQUIREMENTS[required] is not ssl.CERT_NONE
    return Address(plain, {"ssl_cert_reqs": _REQUIREMENTS[required], "ssl_check_hostname": verified and check == "true", **files})


def connect(address: Address, seconds: float) -> "Redis":
    """A client that waits so long for each answer and does not try twice: whoever asks does so again soon, or must answer a person now."""
    from redis import Redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    return Redis.from_url(address.url, socket_timeout=seconds, socket_connect_timeout=seconds, retry=Retry(NoBackoff(), 0), **address.tls)


def answers(settings: "Settings") -> bool:
    """Whether there is a broker and it takes orders within a second."""
    from redis import RedisError

    try:
        with connect(address_of(settings), 1.0) as client:
            return bool(client.ping())
    except (RedisError, OSError, SettingsError):
        return False


def explain(error: BaseException) -> str:
    """What keeps Redis from answering, and what mends it; quotes no library, whose words may hold an address."""
    from redis.exceptions import AuthenticationError, NoPermissionError

    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return _CERTIFICATE + _HELP.get(cause.verify_code, _SIGNED_BY)
        if isinstance(cause, ssl.SSLError):
            return _NO_TLS
        if isinstance(cause, AuthenticationError):
            return "Redis refuses the user or password of LUNGLINE_BROKER_URL."
        if isinstance(cause, NoPermissionError):
            return "The account of LUNGLINE_BROKER_URL lacks a permission in Redis: `lungline doctor` says which; docs/deploy.md "
            "lists all that are needed."
    return SILENT


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    seen = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _try_files(tls: Mapping[str, Any]) -> None:
    """Reads the certificates once: redis-py would call a file that is not there a Redis that does not answer."""
    if not tls:
        return
    name = "LUNGLINE_BROKER_CA or ssl_ca_certs"
    try:
        context = ssl.create_default_context(cafile=tls.get("ssl_ca_certs"))
        name = "ssl_certfile or ssl_keyfile of LUNGLINE_BROKER_URL"
        if tls.get("ssl_certfile") or tls.get("ssl_keyfile"):
            context.load_cert_chain(tls.get("ssl_certfile", ""), tls.get("ssl_keyfile"))
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise SettingsError(f"{name} is not a certificate file that this user can read ({type(error).__name__}).") from None
