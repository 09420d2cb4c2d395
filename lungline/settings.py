"""Settings: from the environment, else a secret file, else lungline.toml, else a default. docs/settings.md is held to this file."""

import os
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SecretsSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)
from pydantic_settings.exceptions import SettingsError as SourceError

from lungline.errors import SettingsError
from lungline.layout import Home
from lungline.log import LogFormat
from lungline.schedule import Schedule, zone_of
from lungline.setting_values import BrokerUrl, Crontab, Device, Devices, Pacs, ResultObjects, Targets, UrlPrefix, Zone

PREFIX = "LUNGLINE_"


def _home() -> Path:
    return Path(os.environ.get(f"{PREFIX}HOME") or "~/lungline").expanduser().absolute()


class Settings(BaseSettings):
    """Everything that an admin may set. Paths are absolute; what is left out is derived from `home`."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", env_ignore_empty=True)

    home: Path = Field(default_factory=_home, description="Where everything of this installation lies, unless set apart below.")
    inbox: Path = Field(default=Path(), description="The watched folder that the PACS drops files into. Default `HOME/inbox`.")
    store: Path = Field(default=Path(), description="Where original bytes are kept. Default `HOME/store`.")
    key_file: Path = Field(
        default=Path(), description="The file with the secret key for patient pseudonyms, mode 0600. Default `HOME/secrets/pseudonym.key`."
    )
    database_url: str = Field(
        default="",
        description="Address of the SQLite or PostgreSQL database, as SQLAlchemy writes it. Default `sqlite:///HOME/lungline.db`.",
    )
    broker_url: BrokerUrl = Field(
        default="", description="Address of a Redis or Valkey server. Default: `lungline up` starts one of its own on loopback."
    )
    broker_ca: Path | None = Field(
        default=None,
        description="A PEM file with the CA that signed Redis' certificate, for `rediss://`; trusted in addition to the machine's CAs.",
    )
    intake: Literal["move", "leave"] = Field(
        default="move", description="`move` files out of the inbox, or `leave` them there (read-only shares)."
    )
    observer: Literal["auto", "inotify", "polling"] = Field(
        default="auto", description="How changes in the inbox are noticed; `auto` polls only where inotify does not work."
    )
    quiet_seconds: float = Field(default=1.0, ge=0.05, le=600, description="How long a file must stay unchanged before it is taken in.")
    series_quiet_seconds: float = Field(
        default=60, ge=0.1, le=86400, description="A series is assessed, provisionally, when no slice of it has come for this long."
    )
    series_final_seconds: float = Field(
        default=900,
        ge=0.1,
        le=604800,
        description="A series counts as complete when no slice of it has come for this long, if its header does not say how many it has.",
    )
    ignore: str = Field(
        default="*.part,*.partial,*.filepart,*.crdownload,*.download,*.tmp,~$*,DICOMDIR,Thumbs.db,desktop.ini,"
        "@eaDir,@Recycle,#recycle,#snapshot,$RECYCLE.BIN,System Volume Information,__MACOSX",
        description="Comma-separated patterns, in upper or lower case, for names of files and folders that are left alone and not "
        "counted; hidden ones always are.",
    )
    dicom_port: int | None = Field(
        default=None, ge=0, le=65535, description="The port that the DICOM receiver listens on, such as 11112. Default: it is off."
    )
    dicom_address: str = Field(
        default="127.0.0.1", pattern=r"^[0-9a-fA-F.:]+$", description="The address that the receiver listens on; `0.0.0.0` for all."
    )
    dicom_ae_title: str = Field(
        default="LUNGLINE",
        pattern=r"^[A-Z0-9_-]{1,16}$",
        description="The receiver's AE title. What is sent to this title with `STAT` at its end is urgent.",
    )
    dicom_peers: str = Field(
        default="", description="Comma-separated AE titles, or `TITLE@ADDRESS`, that may send to the receiver. Default: all."
    )
    dicom_certificate: Path | None = Field(
        default=None, description="A PEM file with the receiver's certificate. Without it, the receiver does not use TLS."
    )
    dicom_key: Path | None = Field(
        default=None, description="A PEM file with the certificate's key, if it is not in the certificate's file."
    )
    dicom_ca: Path | None = Field(
        default=None, description="A PEM file with the CA that must have signed the senders' certificates. Default: senders need none."
    )
    deliver_to: Targets = Field(
        default="",
        description="Where results of studies are sent: comma-separated `folder:/PATH`, `dicom:AET@HOST:PORT`, `dicomweb:URL`. "
        "Default: nowhere.",
    )
    deliver_when: Literal["positive", "review", "all"] = Field(
        default="review",
        description="The studies whose results are sent: `positive` (covid19), `review` (those and all that are for review), or `all`.",
    )
    deliver_objects: ResultObjects = Field(
        default="sc,sr", description="The form of results: `sc` (a picture, Secondary Capture), `sr` (a Comprehensive SR), or both."
    )
    deliver_provisional: bool = Field(
        default=False, description="Whether results are sent while slices may still come, too, and not only when they are final."
    )
    deliver_ca: Path | None = Field(
        default=None,
        description="A PEM file with the CA of the targets' certificates: `dicom:` targets are reached by TLS then. Lungline shows "
        "`DICOM_CERTIFICATE`, where that is set.",
    )
    deliver_user: str = Field(default="", description="The user for `dicomweb:` targets (HTTP basic). Default: none.")
    deliver_password: SecretStr = Field(default=SecretStr(""), description="That user's password; a secret file is the place for it.")
    dicom_ask: Pacs = Field(
        default="",
        description="The PACS that is asked how many images a series has, as `dicom:AET@HOST:PORT` or `dicomweb:URL`, with the CA and "
        "the user of `DELIVER_CA` and `DELIVER_USER`. Default: none is asked.",
    )
    devices: Devices = Field(
        default="auto",
        description="`auto`, `cpu`, or GPU numbers such as `0,1`, with a worker for each. A worker whose GPU is missing reads on "
        "the CPU, and says so in its log.",
    )
    engine: Literal["auto", "keras", "openvino"] = Field(
        default="auto", description="The runtime for the networks; `auto` takes OpenVINO on a CPU if it answers as Keras does."
    )
    batch_max: int = Field(default=32, ge=1, le=256, description="The largest number of scans in one batch.")
    flower_address: str = Field(
        default="127.0.0.1", pattern=r"^[0-9a-fA-F.:]+$", description="The address that Flower listens on; `0.0.0.0` inside a container."
    )
    flower_port: int = Field(default=5555, ge=1, le=65535, description="Flower's port; if it is taken, the next free one.")
    flower_prefix: UrlPrefix = Field(
        default="",
        description="The path of Flower behind a reverse proxy that passes the path on, such as `lungline/flower`.",
    )
    web_address: str = Field(
        default="127.0.0.1", pattern=r"^[0-9a-fA-F.:]+$", description="The address that the page listens on; `0.0.0.0` inside a container."
    )
    web_port: int = Field(default=8080, ge=1, le=65535, description="The page's port; if it is taken, the next free one.")
    web_prefix: UrlPrefix = Field(
        default="",
        description="The path of the page behind a reverse proxy that passes the path on, such as `lungline`.",
    )
    web_proxies: str = Field(
        default="",
        pattern=r"^[0-9a-fA-F.:/, ]*$",
        description="Comma-separated addresses of reverse proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` the page believes. "
        "Default: none.",
    )
    log_format: LogFormat = Field(
        default="auto",
        description="The form of log lines: `logfmt`, `json`, or `auto`: logfmt on a terminal, one JSON object a line elsewhere.",
    )
    weights_dir: Path | None = Field(
        default=None, description="A folder of ImageNet weights (`NAME_notop.weights.h5`) for training without internet."
    )
    training_data: Path | None = Field(
        default=None,
        description="A folder with a `manifest.csv` of labelled scans, for training and evaluation; its paths are relative to the folder.",
    )
    training_device: Device = Field(
        default="auto", description="The device for training: `auto`, `cpu`, or the number of a GPU that inference does not use."
    )
    retrain_cron: Crontab = Field(
        default="0 3 * * 0", description="When networks are retrained, as the five time fields of a crontab line."
    )
    timezone: Zone = Field(default="UTC", description="The time zone of `RETRAIN_CRON`, such as `Europe/Berlin`.")
    retrain_recipes: str = Field(
        default="", description="The recipes that are retrained, comma-separated. Default: those of the champions for X-ray and CT."
    )
    retrain_promote: Literal["auto", "ask"] = Field(
        default="auto",
        description="Whether a challenger that passes the gate becomes champion at once (`auto`), or waits until a person promotes "
        "it (`ask`).",
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, secret_files(settings_cls), toml_file(settings_cls)

    @model_validator(mode="after")
    def _derive(self) -> Self:
        self.home = self.home.expanduser().absolute()
        for name, default in (("inbox", self.layout.inbox), ("store", self.layout.store), ("key_file", self.layout.pseudonym_key)):
            value: Path = getattr(self, name)
            setattr(self, name, default if value == Path() else value.expanduser().absolute())
        for name in ("broker_ca", "weights_dir", "training_data", "dicom_certificate", "dicom_key", "dicom_ca", "deliver_ca"):
            if (said := getattr(self, name)) is not None:
                setattr(self, name, said.expanduser().absolute())
        if not self.database_url:
            self.database_url = f"sqlite:///{self.layout.database}"
        if self.database_url.startswith(("postgresql://", "postgres://")):  # SQLAlchemy would look for psycopg2
            self.database_url = "postgresql+psycopg://" + self.database_url.split("://", 1)[1]
        if not self.database_url.startswith(("sqlite:///", "postgresql+psycopg://")):
            raise ValueError(f"{PREFIX}DATABASE_URL: must begin with sqlite:/// or postgresql://")
        if self.broker_ca and not self.broker_url.startswith("rediss://"):
            raise ValueError(f"{PREFIX}BROKER_CA: needs a {PREFIX}BROKER_URL that begins with rediss://")
        if self.inbox == self.store or self.inbox in self.store.parents or self.store in self.inbox.parents:
            raise ValueError(f"{PREFIX}INBOX and {PREFIX}STORE must not be inside each other")
        return self

    @property
    def schedule(self) -> Schedule:
        """When networks are retrained."""
        return Schedule(self.retrain_cron, zone_of(self.timezone))

    @property
    def layout(self) -> Home:
        """Where everything lies below `home`."""
        return Home(self.home)

    @property
    def broker(self) -> str:
        """`broker_url`, or the address of the server that `lungline up` started.

        Raises:
            SettingsError: there is neither.
        """
        if self.broker_url:
            return self.broker_url
        try:
            return self.layout.broker_address.read_text().strip()
        except OSError:
            raise SettingsError("There is no broker: start `lungline up`, or set LUNGLINE_BROKER_URL.") from None


def secret_files(settings_cls: type[BaseSettings]) -> SecretsSettingsSource:
    """Files named `lungline_database_url` and so on, in the folder where systemd and containers put secrets."""
    folder = os.environ.get("CREDENTIALS_DIRECTORY")  # systemd.exec(5); the container image sets it, too
    return SecretsSettingsSource(settings_cls, secrets_dir=folder if folder and Path(folder).is_dir() else None)


def toml_file(settings_cls: type[BaseSettings]) -> TomlConfigSettingsSource:
    """`$LUNGLINE_HOME/lungline.toml`."""
    return TomlConfigSettingsSource(settings_cls, toml_file=Home(_home()).settings_file)


def unknown() -> list[str]:
    """`LUNGLINE_*` variables of the environment that are no setting: a slip of the pen, most likely."""
    return sorted(name for name in os.environ if name.startswith(PREFIX) and name.removeprefix(PREFIX).lower() not in Settings.model_fields)


def load() -> Settings:
    """The settings of this process.

    Raises:
        SettingsError: a value is malformed, a file cannot be read, or lungline.toml holds a name that is no setting.
    """
    try:
        return Settings()
    except ValidationError as error:
        raise SettingsError("; ".join(map(_said, error.errors())) + ". See docs/settings.md.") from None
    except (SourceError, OSError, ValueError) as error:
        raise SettingsError(f"lungline.toml or a secret file cannot be read ({type(error).__name__}); see docs/settings.md.") from None


def _said(error: ErrorDetails) -> str:
    """What is wrong with one setting, by the name that an admin knows; never its value, which may hold a password."""
    if error["type"] == "extra_forbidden":  # of the environment and secret files, only what is a setting is looked at
        return f"lungline.toml: `{error['loc'][0]}` is not a setting"
    message = error["msg"].removeprefix("Value error, ")
    return f"{PREFIX}{error['loc'][0]}".upper() + f": {message}" if error["loc"] else message
