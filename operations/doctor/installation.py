"""What `lungline doctor` looks at of this installation: key, database, broker, processes, models."""

from collections.abc import Iterator

from lungline.broker import address_of
from lungline.errors import SettingsError
from lungline.layout import Store
from lungline.presence import live
from lungline.processes import not_ready
from lungline.settings import Settings
from operations.doctor.ports import is_free


def check_key(settings: Settings) -> Iterator[str]:
    if not settings.key_file.exists():
        yield "LUNGLINE_KEY_FILE does not exist yet; `lungline up` creates it"
        return
    if settings.key_file.stat().st_mode & 0o077:
        raise SettingsError("Other users can read LUNGLINE_KEY_FILE: run chmod 600 on it.")
    yield "pseudonym key: mode 0600; keep a copy of it away from the database"


def check_database(settings: Settings) -> Iterator[str]:
    from db.migrate import HEAD, open_database

    engine = open_database(settings)
    yield f"database: {engine.dialect.name}, at version {HEAD}, written with this key"


def check_broker(settings: Settings) -> Iterator[str]:
    from jobs.app import make_app
    from jobs.kinds import KINDS, queues_of
    from jobs.queues import may_ask_for_run, queue_lengths, require

    try:
        settings.broker  # noqa: B018
    except SettingsError:
        yield "broker: not set; `lungline up` starts one"
        return
    if not settings.broker_url and "redis" not in live(settings.layout.run):
        yield "broker: Lungline's own, not running now; `lungline up` starts it"
        return
    app = make_app(settings)
    require(app)
    lengths = queue_lengths(app, queues_of(KINDS))
    yield "broker: answers; " + ", ".join(f"{length} in `{queue}`" for queue, length in lengths.items())
    if not may_ask_for_run(app):
        yield "broker: the account may not use INFO; after a restart of Redis, lost doorbells are rung again after 10 s instead of at once"
    address = address_of(settings)
    if address.is_unverified:
        yield "broker: TLS without a check of the certificate, as LUNGLINE_BROKER_URL says: others on the network could read the password"
    elif address.tls:
        yield "broker: TLS; certificate and host name are checked"


def check_processes(settings: Settings) -> Iterator[str]:
    processes = live(settings.layout.run)
    if not processes:
        yield "processes: none is running; `lungline up` starts them"
        return
    # without `up`, a service manager decides what runs on this host
    if lame := not_ready(settings, () if "up" in processes else list(processes)):
        raise SettingsError(
            f"These processes run, but are not ready: {', '.join(lame)}. If that does not change, look into {settings.layout.logs}, "
            f"or the journal."
        )
    yield f"processes: {len(processes)} running, all ready"


def check_page(settings: Settings) -> Iterator[str]:
    if "web" in live(settings.layout.run):
        yield f"page: {settings.layout.web_address.read_text().strip()}"
        return
    if is_free("WEB", settings.web_address, settings.web_port):
        yield f"page: not running; port {settings.web_port} is free"
    else:
        yield f"page: port {settings.web_port} is taken; `lungline up` takes the next free one"


def check_models(settings: Settings) -> Iterator[str]:
    from db import versions
    from db.migrate import open_database
    from models import pose, registry
    from models.runtimes.choice import RuntimeChoice
    from workers import catalogue

    models, choice = Store(settings.store).models, RuntimeChoice.of(settings)
    with open_database(settings).begin() as connection:
        catalogue.enter(connection, models)
        champions = [registry.find(version, models) for version in versions.champions(connection).values()]
    for files in champions:
        by = ", ".join(f"{place.member.version} by {choice.describe(place)}" for place in files.places)
        yield f"model {files.version}: files complete; {by}"
    yield f"network {pose.shipped().version}, which detects turned pictures and negatives: files complete"
