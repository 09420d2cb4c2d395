"""Whether results can be sent, and what is sent to whom; and whether the PACS can be asked."""

from collections.abc import Iterator

from lungline.errors import DeliveryError, SettingsError
from lungline.settings import Settings
from lungline.targets import parse_targets


def check_deliveries(settings: Settings) -> Iterator[str]:
    """Asks each target, and looks for deliveries that failed."""
    if not settings.deliver_to:
        yield "results are sent nowhere (LUNGLINE_DELIVER_TO is not set)"
        return
    from operations.deliveries import list_deliveries
    from pacs.send import Sender

    sender = Sender(settings)
    for number, target in enumerate(parse_targets(settings.deliver_to).values(), 1):
        try:
            sender.check(target)
        except DeliveryError as error:
            raise SettingsError(f"target {number} of LUNGLINE_DELIVER_TO: {error} {error.reason.action}") from None
        yield f"target {number} of LUNGLINE_DELIVER_TO answers"
    what = {"positive": "covid19 studies", "review": "covid19 studies and those for review", "all": "all studies"}[settings.deliver_when]
    yield f"results of {what} are sent, with the patient's name and the study's UIDs, as {settings.deliver_objects.replace(',', ' and ')}"
    if list_deliveries(settings, 1, failed=True):
        raise SettingsError("Deliveries failed: `lungline deliver list --failed` shows why, and `lungline deliver retry` tries them anew.")


def check_asking(settings: Settings) -> Iterator[str]:
    """Asks the PACS whether it is there."""
    if not settings.dicom_ask:
        yield "no PACS is asked for the number of images (LUNGLINE_DICOM_ASK is not set)"
        return
    from pacs.ask import pacs_of
    from pacs.send import Sender

    try:
        Sender(settings).check(pacs_of(settings))
    except DeliveryError:
        raise SettingsError(
            "The PACS of LUNGLINE_DICOM_ASK cannot be reached, or refuses: check that it runs, and that it knows the AE title of "
            "LUNGLINE_DICOM_AE_TITLE."
        ) from None
    yield "the PACS of LUNGLINE_DICOM_ASK answers"
