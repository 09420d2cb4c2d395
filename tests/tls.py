"""TLS for the tests: certificates of a CA of their own, and a door with TLS in front of a server that has none."""

import socket
import ssl
import subprocess
import threading
from contextlib import suppress
from pathlib import Path
from shutil import which

import pytest

from tests.servers import free_port

_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")


class Authority:
    """A CA, which signs certificates for hosts."""

    def __init__(self, folder: Path) -> None:
        if not which("openssl"):
            pytest.skip("no openssl on this machine to make certificates with")
        folder.mkdir(parents=True)
        self._folder = folder
        self.file = folder / "ca.pem"
        _openssl("req -x509 -days 2 -subj /CN=tests", *_KEY, "-keyout", folder / "ca.key", "-out", self.file)

    def sign(self, host: str) -> tuple[Path, Path]:
        """Certificate and key of a host, such as `DNS:localhost` or `IP:127.0.0.1`."""
        name = host.replace(":", "-")
        key, request, certificate, names = (self._folder / f"{name}.{end}" for end in ("key", "csr", "pem", "names"))
        names.write_text(f"subjectAltName={host}\n")
        _openssl("req -subj /CN=redis", *_KEY, "-keyout", key, "-out", request)
        signer = ("-CA", self.file, "-CAkey", self._folder / "ca.key", "-CAcreateserial")
        _openssl("x509 -req -days 2", *signer, "-in", request, "-extfile", names, "-out", certificate)
        return certificate, key


class Door:
    """Takes TLS on a port of its own, passes on what it hears to a plain port of loopback, and knows whether it heard anything."""

    def __init__(self, plain_port: int, certificate: tuple[Path, Path]) -> None:
        self.port = free_port()
        self.heard = b""
        self.knocks = 0
        self._plain_port = plain_port
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._context.load_cert_chain(*certificate)
        self._socket = socket.create_server(("127.0.0.1", self.port), backlog=64)
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._socket.close()

    def _serve(self) -> None:
        with suppress(OSError):  # closed
            while True:
                client, _ = self._socket.accept()
                threading.Thread(target=self._let_in, args=(client,), daemon=True).start()

    def _let_in(self, client: socket.socket) -> None:
        self.knocks += 1
        with suppress(OSError), client:
            client.settimeout(20)
            with (
                self._context.wrap_socket(client, server_side=True) as inside,
                socket.create_connection(("127.0.0.1", self._plain_port)) as server,
            ):
                inside.settimeout(None)
                threading.Thread(target=self._pass, args=(server, inside), daemon=True).start()
                while said := inside.recv(65536):
                    self.heard += said
                    server.sendall(said)

    @staticmethod
    def _pass(server: socket.socket, inside: ssl.SSLSocket) -> None:
        with suppress(OSError, ValueError):
            while said := server.recv(65536):
                inside.sendall(said)
        with suppress(OSError):
            inside.shutdown(socket.SHUT_RDWR)


def _openssl(command: str, *arguments: str | Path) -> None:
    subprocess.run(["openssl", *command.split(), *map(str, arguments)], check=True, capture_output=True, timeout=300)
