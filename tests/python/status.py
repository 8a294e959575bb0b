"""What python3-cryptography says of the state of certificates: status.py CHAIN STATUS-URL CERTIFICATE...

CHAIN holds the issuing CA.  Prints a line for each way and certificate: "way file word", where word is good,
revoked:reason, or the OCSP error.  Ways: sha1-get, sha1-post, sha256-post, nonce, and crl.
"""
import base64
import os
import sys
import urllib.request

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp


def verify(key, signature, octets, algorithm):
    if isinstance(key, ec.EllipticCurvePublicKey):
        key.verify(signature, octets, ec.ECDSA(algorithm))
    else:
        key.verify(signature, octets, padding.PKCS1v15(), algorithm)


def ask(url, certificate, issuer, algorithm, get=False, nonce=None):
    builder = ocsp.OCSPRequestBuilder().add_certificate(certificate, issuer, algorithm)
    if nonce:
        builder = builder.add_extension(x509.OCSPNonce(nonce), critical=False)
    question = builder.build().public_bytes(Encoding.DER)
    if get:
        request = urllib.request.Request(url + "/" + urllib.request.quote(base64.b64encode(question), safe=""))
    else:
        request = urllib.request.Request(url, question, {"Content-Type": "application/ocsp-request"})
    answer = ocsp.load_der_ocsp_response(urllib.request.urlopen(request).read())
    if answer.response_status != ocsp.OCSPResponseStatus.SUCCESSFUL:
        return answer.response_status.name.lower()
    responder = answer.certificates[0]
    verify(issuer.public_key(), responder.signature, responder.tbs_certificate_bytes, responder.signature_hash_algorithm)
    verify(responder.public_key(), answer.signature, answer.tbs_response_bytes, answer.signature_hash_algorithm)
    assert answer.serial_number == certificate.serial_number
    assert isinstance(answer.hash_algorithm, type(algorithm)), "answered with another hash"
    if nonce:
        assert answer.extensions.get_extension_for_class(x509.OCSPNonce).value.nonce == nonce
    if answer.certificate_status == ocsp.OCSPCertStatus.REVOKED:
        return "revoked:" + (answer.revocation_reason.name if answer.revocation_reason else "none")
    return answer.certificate_status.name.lower()


def listed(url, certificate, issuer):
    crl = x509.load_der_x509_crl(urllib.request.urlopen(url).read())
    assert crl.is_signature_valid(issuer.public_key())
    entry = crl.get_revoked_certificate_by_serial_number(certificate.serial_number)
    return "good" if entry is None else "revoked:" + entry.extensions.get_extension_for_class(x509.CRLReason).value.reason.name


def main(chain, status, files):
    with open(chain, "rb") as f:
        certificates = f.read().split(b"-----END CERTIFICATE-----\n")[:-1]
    issuer = next(c for c in (x509.load_pem_x509_certificate(p + b"-----END CERTIFICATE-----\n") for p in certificates) if c.issuer != c.subject)
    ways = {
        "sha1-get": lambda c: ask(status + "/ocsp", c, issuer, hashes.SHA1(), get=True),
        "sha1-post": lambda c: ask(status + "/ocsp", c, issuer, hashes.SHA1()),
        "sha256-post": lambda c: ask(status + "/ocsp", c, issuer, hashes.SHA256()),
        "nonce": lambda c: ask(status + "/ocsp", c, issuer, hashes.SHA1(), nonce=os.urandom(32)),
        "crl": lambda c: listed(status + "/crl/icert.crl", c, issuer),
    }
    for file in files:
        with open(file, "rb") as f:
            certificate = x509.load_pem_x509_certificate(f.read())
        for name, way in ways.items():
            print(name, os.path.basename(file), way(certificate))


main(sys.argv[1], sys.argv[2], sys.argv[3:])
