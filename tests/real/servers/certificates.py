"""A certificate authority and its certificates, made with the openssl command: clients verify, as they would anywhere."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

_SERVER = "extendedKeyUsage=serverAuth\nsubjectAltName=IP:127.0.0.1,DNS:localhost"
_CLIENT = "extendedKeyUsage=clientAuth"


@dataclass(frozen=True)
class Pair:
    """A certificate and its key, as PEM files."""

    certificate: Path
    key: Path


class Authority:
    """Signs certificates for servers on loopback and for clients, all files in one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        key = self.key("ca")
        config = folder / "ca.cnf"
        config.write_text(_AUTHORITY)
        self.certificate = folder / "ca.crt"
        _openssl("req", "-x509", "-new", "-key", key, "-days", "2", "-config", config, "-out", self.certificate)
        self._pair = Pair(self.certificate, key)

    def key(self, name: str) -> Path:
        """A new private key."""
        path = self._folder / f"{name}.key"
        _openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", path)
        return path

    def server(self, name: str) -> Pair:
        """For a server on 127.0.0.1 and localhost."""
        return self._signed(name, f"/CN={name}", _SERVER)

    def client(self, user: str, group: str) -> Pair:
        """For a client: Kubernetes reads the user from CN and the group from O."""
        return self._signed(user, f"/O={group}/CN={user}", _CLIENT)

    def _signed(self, name: str, subject: str, extensions: str) -> Pair:
        pair = Pair(self._folder / f"{name}.crt", self.key(name))
        request, section = self._folder / f"{name}.csr", self._folder / f"{name}.cnf"
        section.write_text(_LEAF + extensions + "\n")
        _openssl("req", "-new", "-key", pair.key, "-subj", subject, "-config", section, "-out", request)
        issuer = ("-CA", self._pair.certificate, "-CAkey", self._pair.key, "-CAcreateserial")
        _openssl("x509", "-req", "-in", request, *issuer, "-days", "2", "-extfile", section, "-extensions", "leaf",
                 "-out", pair.certificate)  # fmt: skip
        return pair


def _openssl(*arguments: str | Path) -> None:
    done = subprocess.run(["openssl", *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"openssl {arguments[0]}: {done.stderr.strip()}")


_AUTHORITY = """\
[req]
prompt=no
distinguished_name=name
x509_extensions=authority
[name]
CN=rollback-console tests
[authority]
basicConstraints=critical,CA:TRUE
keyUsage=critical,keyCertSign,cRLSign
subjectKeyIdentifier=hash
"""

_LEAF = """\
[req]
prompt=no
distinguished_name=name
[name]
[leaf]
basicConstraints=CA:FALSE
keyUsage=critical,digitalSignature
subjectKeyIdentifier=hash
authorityKeyIdentifier=keyid
"""
