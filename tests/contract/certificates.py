"""Certificates for servers on loopback, made with the openssl command: a good one, an expired one, one for another host."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from pathlib import Path

import pytest

NAMES = {
    "good": ("IP:127.0.0.1", "20200101000000Z", "20991231235959Z"),
    "expired": ("IP:127.0.0.1", "20200101000000Z", "20200102000000Z"),
    "stranger": ("DNS:somebody.else", "20200101000000Z", "20991231235959Z"),
}


class Certificates:
    """An authority that signed a certificate of each name, and another that signed none. Skips where openssl is missing."""

    def __init__(self, folder: Path) -> None:
        if shutil.which("openssl") is None:
            pytest.skip("the openssl command makes the certificates")
        self._folder = folder
        self.authority = self._authority("authority")
        self.other_authority = self._authority("other")
        for name, (subject, start, end) in NAMES.items():
            self._sign(name, subject, start, end)

    def context(self, name: str) -> ssl.SSLContext:
        """A server's side of TLS with one of the certificates."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._folder / f"{name}.crt", self._folder / f"{name}.key")
        return context

    def _authority(self, name: str) -> Path:
        certificate = self._folder / f"{name}.crt"
        self._openssl(
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "9000",
            "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", certificate.name,
            "-addext", "keyUsage=critical,keyCertSign",
        )  # fmt: skip
        return certificate

    def _sign(self, name: str, subject: str, start: str, end: str) -> None:
        (self._folder / f"{name}.index").touch()
        (self._folder / f"{name}.cnf").write_text(
            f"[ca]\ndefault_ca=here\n[here]\ndatabase={name}.index\nnew_certs_dir=.\nrand_serial=yes\n"
            "default_md=sha256\npolicy=any\nx509_extensions=leaf\n[any]\ncommonName=supplied\n"
            f"[leaf]\nsubjectAltName={subject}\nbasicConstraints=CA:FALSE\nauthorityKeyIdentifier=keyid\n"
        )
        self._openssl(
            "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.csr",
        )  # fmt: skip
        self._openssl(
            "ca", "-batch", "-notext", "-config", f"{name}.cnf", "-cert", "authority.crt", "-keyfile", "authority.key",
            "-startdate", start, "-enddate", end, "-in", f"{name}.csr", "-out", f"{name}.crt",
        )  # fmt: skip

    def _openssl(self, *arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=self._folder, check=True, capture_output=True)
