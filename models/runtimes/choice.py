"""Which runtime runs a member here: the fastest that answers as the reference does."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import structlog

from lungline.errors import ModelError
from lungline.settings import Settings
from models import devices
from models.files import Place
from models.runtimes import Runtime, agreement, cache

log = structlog.get_logger()


@dataclass(frozen=True)
class RuntimeChoice:
    """Makes the runtimes of members as LUNGLINE_ENGINE asks. `auto` falls back to the reference, and logs why."""

    choice: Literal["auto", "keras", "openvino"]
    folder: Path  # of converted networks: a host's own

    @classmethod
    def of(cls, settings: Settings) -> "RuntimeChoice":
        """As this home's settings ask. `auto` stays with the reference where there is a GPU for it, or one is named."""
        gpu = devices.at_hand() > 0 if settings.devices == "auto" else settings.devices != "cpu"
        choice = "keras" if settings.engine == "auto" and gpu else settings.engine
        return cls(choice, settings.layout.networks)

    def prepare(self, places: Sequence[Place]) -> None:
        """Converts what these members need, all at once; `make` would do so one by one, each time with seconds for TensorFlow's start."""
        if self.choice != "keras":
            cache.convert(self.folder, [place.member for place in places])

    def make(self, place: Place) -> Runtime:
        """The runtime of a member, loaded and compiled.

        Raises:
            ModelError: its weights are missing, damaged or do not fit; or LUNGLINE_ENGINE=openvino, and that cannot run it or disagrees.
        """
        place.member.checked_weights()
        if self.choice == "keras":
            return _reference(place)
        try:
            runtime, differences = self._openvino(place)
        except ModelError as error:
            if self.choice == "openvino":
                raise
            log.warning("a network runs on keras, as openvino cannot run it", member=place.member.version, why=str(error))
            return _reference(place)
        log.info("runtime", member=place.member.version, runtime=runtime.name, differences=differences)
        return runtime

    def describe(self, place: Place) -> str:
        """What will run a member here, as far as that can be told without converting or loading TensorFlow; for `lungline doctor`.

        Raises:
            ModelError: as `make` does.
        """
        place.member.checked_weights()
        if self.choice == "keras":
            return "keras"
        if cache.find(self.folder, place.member) is None:
            return "a runtime that is chosen when a worker starts"
        try:
            return self._openvino(place)[0].name
        except ModelError:
            if self.choice == "openvino":
                raise
            return "keras, as openvino disagrees or fails"

    def _openvino(self, place: Place) -> tuple[Runtime, dict[str, str]]:
        """The fastest that agrees, and how far from the reference each precision is that was tried."""
        member = place.member
        failed = cache.convert(self.folder, [member])
        converted = cache.find(self.folder, member)
        if converted is None:
            raise ModelError(f"OpenVINO cannot convert member `{member.version}` ({failed.get(member.version)}): set LUNGLINE_ENGINE=auto.")
        try:
            from models.runtimes.openvino import OpenVinoRuntime, list_precisions

            differences = {}
            for precision in list_precisions():
                runtime = OpenVinoRuntime(converted.description, converted.weights, precision)
                difference = agreement.measure_difference(runtime, member.preprocess, converted.reference, place.temperature)
                differences[precision] = f"{difference:.1e}"
                if difference <= agreement.LIMIT:
                    return runtime, differences
        except (ImportError, RuntimeError, ValueError) as error:
            raise ModelError(f"OpenVINO cannot run member `{member.version}` ({type(error).__name__}): set LUNGLINE_ENGINE=auto.") from None
        raise ModelError(f"OpenVINO disagrees with the reference on member `{member.version}`: set LUNGLINE_ENGINE=auto.")


def _reference(place: Place) -> Runtime:
    from models.runtimes.keras import KerasRuntime, load_network

    return KerasRuntime(load_network(place.member))
