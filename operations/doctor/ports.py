"""Whether a port of this machine is free, for what `lungline doctor` looks at."""

import errno
import socket

from lungline.errors import SettingsError
from lungline.settings import PREFIX


def is_free(name: str, address: str, port: int) -> bool:
    """Whether this user could listen there now.

    Args:
        name: of the settings that say where: `WEB` for LUNGLINE_WEB_ADDRESS and LUNGLINE_WEB_PORT.
        address: an IP address.
        port: 0 to 65535; 0 is always free.

    Raises:
        SettingsError: the address is not this machine's, or this user may not use the port.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            if error.errno == errno.EADDRNOTAVAIL:
                raise SettingsError(f"{PREFIX}{name}_ADDRESS is not an address of this machine.") from None
            if error.errno == errno.EACCES:
                raise SettingsError(f"This user may not listen on port {port}: set {PREFIX}{name}_PORT to one above 1023.") from None
            return False
    return True
