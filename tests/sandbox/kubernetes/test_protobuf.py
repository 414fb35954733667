"""What kubectl sends in protobuf is read as the JSON that it could have sent; what is none is refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.sandbox.kubernetes.errors import ApiError
from console.sandbox.kubernetes.protobuf import document_of


def varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    encoded = b""
    while value > 0x7F:
        encoded, value = encoded + bytes([value & 0x7F | 0x80]), value >> 7
    return encoded + bytes([value])


def message(*fields: tuple[int, Any]) -> bytes:
    """Texts and messages by length, numbers as they are."""
    encoded = b""
    for number, value in fields:
        raw = value.encode() if isinstance(value, str) else value
        if isinstance(raw, bytes):
            encoded += varint(number << 3 | 2) + varint(len(raw)) + raw
        else:
            encoded += varint(number << 3) + varint(raw)
    return encoded


def envelope(api_version: str, kind: str, raw: bytes) -> bytes:
    return b"k8s\x00" + message((1, message((1, api_version), (2, kind))), (2, raw), (3, ""), (4, ""))


def test_a_deployment() -> None:
    variable = message((1, "A"), (2, "1"))
    port = message((1, ""), (3, 80), (4, "TCP"))
    container = message((1, "web"), (2, "web:1"), (6, port), (7, variable), (8, b""), (16, 0))
    volume = message((1, "v"), (2, message((19, message((1, message((1, "config"))))))))
    template = message((1, message((11, message((1, "app"), (2, "web"))))), (2, message((1, volume), (2, container))))
    strategy = message((2, message((1, message((1, 0), (2, 1), (3, ""))), (2, message((1, 1), (2, 0), (3, "25%"))))))
    spec = message((1, 0), (2, message((1, message((1, "app"), (2, "web"))))), (3, template), (4, strategy), (5, 0))
    read = document_of(envelope("apps/v1", "Deployment", message((1, message((1, "web"))), (2, spec))))
    assert read == {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": {"app": "web"}},
            "strategy": {"rollingUpdate": {"maxUnavailable": 1, "maxSurge": "25%"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {
                    "volumes": [{"name": "v", "configMap": {"name": "config"}}],
                    "containers": [{"name": "web", "image": "web:1", "env": [{"name": "A", "value": "1"}], "resources": {},
                                    "ports": [{"containerPort": 80, "protocol": "TCP"}]}],
                },
            },
        },
    }  # fmt: skip


def test_bytes_negative_numbers_and_quantities() -> None:
    secret = message((1, message((1, "s"), (10, -1))), (2, message((1, "k"), (2, b"\x00\xff"))))
    assert document_of(envelope("v1", "Secret", secret)) == {
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "deletionGracePeriodSeconds": -1},
        "data": {"k": "AP8="},
    }  # fmt: skip


@given(st.binary(max_size=60))
def test_whatever_else_comes_is_refused(noise: bytes) -> None:
    for data in (noise, b"k8s\x00" + noise, envelope("v1", "Pod", noise)):
        try:
            read = document_of(data)
        except ApiError as error:
            refused = error
            continue
        assert read["kind"], "noise may happen to be a message"
    assert not noise or refused.code == 400 or read


def test_a_kind_that_is_not_built_in_is_refused() -> None:
    with pytest.raises(ApiError, match="can't be read as protobuf"):
        document_of(envelope("example.com/v1", "Widget", b""))
