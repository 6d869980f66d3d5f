from __future__ import annotations

import ssl
from datetime import UTC, datetime
from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--write-golden",
        action="store_true",
        help="write the texts that notices are compared with (tests/dunning/golden) anew; read the difference after it",
    )


@pytest.fixture
def write_golden(request: pytest.FixtureRequest) -> bool:
    """Asked for with `pytest tests/dunning/test_wording_golden.py --write-golden`; off in a run of all tests."""
    return bool(request.config.getoption("--write-golden", default=False))


@pytest.fixture(scope="session")
def certificate(tmp_path_factory) -> tuple[str, str, ssl.SSLContext]:
    """Files of a certificate and of another nobody uses, and a server's context with the first."""
    folder = tmp_path_factory.mktemp("tls")
    made = []
    for name in ("used", "other"):
        key = ec.generate_private_key(ec.SECP256R1())
        title = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        built = (
            x509.CertificateBuilder()
            .subject_name(title)
            .issuer_name(title)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
            .not_valid_after(datetime(2120, 1, 1, tzinfo=UTC))
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
            .sign(key, hashes.SHA256())
        )
        (folder / f"{name}.pem").write_bytes(built.public_bytes(serialization.Encoding.PEM))
        unlocked = serialization.NoEncryption()
        form = serialization.PrivateFormat.PKCS8
        (folder / f"{name}.key").write_bytes(key.private_bytes(serialization.Encoding.PEM, form, unlocked))
        made.append(str(folder / f"{name}.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "used.pem", folder / "used.key")
    return made[0], made[1], context
