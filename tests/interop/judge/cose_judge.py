"""COSE by two Python libraries, pycose and cwt: a line of JSON in, a line of JSON out.

verify: message, key (COSE_Key), kind (sign1, sign, cwt), library, aad, content; all bytes in hex
sign:   algorithm (name), key (private COSE_Key), kind, library, aad, content, kid
"""
import json
import sys

import cbor2
import cwt
from cwt import COSE, COSEKey
from pycose.headers import KID, Algorithm
from pycose.keys import CoseKey
from pycose.messages import Sign1Message, SignMessage
from pycose.messages.signer import CoseSignature


def octets(task, name):
    return bytes.fromhex(task.get(name, ""))


def verify_pycose(task):
    key = CoseKey.decode(octets(task, "key"))
    message = (Sign1Message if task["kind"] == "sign1" else SignMessage).decode(octets(task, "message"))
    message.external_aad = octets(task, "aad")
    detached = octets(task, "content") if "content" in task else None
    if task["kind"] == "sign1":
        message.key = key
        return message.verify_signature(detached_payload=detached) if detached is not None else message.verify_signature()
    if detached is not None:
        message.payload = detached
    for signer in message.signers:
        signer.key = key
        signer.external_aad = octets(task, "aad")
        if not signer.verify_signature():
            return False
    return len(message.signers) > 0


def sign_pycose(task):
    key = CoseKey.decode(octets(task, "key"))
    headers = {"phdr": {Algorithm: task["algorithm"]}, "uhdr": {KID: octets(task, "kid")}}
    if task["kind"] == "sign1":
        message = Sign1Message(payload=octets(task, "content"), external_aad=octets(task, "aad"), **headers)
        message.key = key
        return message.encode()
    message = SignMessage(payload=octets(task, "content"))
    message.external_aad = octets(task, "aad")
    signer = CoseSignature(external_aad=octets(task, "aad"), **headers)
    signer.key = key
    message.signers = [signer]
    return message.encode()


def key_cwt(task):
    """The library wants to know the algorithm from the key."""
    key = cbor2.loads(octets(task, "key"))
    key[3] = task["id"]
    return COSEKey.new({**key, 2: octets(task, "kid") or b"kid"})


def verify_cwt(task):
    if task["kind"] == "cwt":
        claims = cwt.decode(octets(task, "message"), key_cwt(task))
        return {str(label): value.hex() if isinstance(value, bytes) else value for label, value in claims.items()}
    return COSE.new().decode(octets(task, "message"), key_cwt(task)) == octets(task, "expected")


def sign_cwt(task):
    if task["kind"] == "cwt":
        claims = {int(label): value for label, value in task["claims"].items()}
        return cwt.encode(claims, key_cwt(task), tagged=True)
    return COSE.new(alg_auto_inclusion=True, kid_auto_inclusion=True).encode(octets(task, "content"), key_cwt(task))


WORK = {
    ("verify", "pycose"): verify_pycose,
    ("sign", "pycose"): sign_pycose,
    ("verify", "cwt"): verify_cwt,
    ("sign", "cwt"): sign_cwt,
}

for line in sys.stdin:
    task = json.loads(line)
    try:
        result = WORK[task["do"], task["library"]](task)
        answer = {"result": result.hex() if isinstance(result, bytes) else result}
    except Exception as error:  # a judge's refusal is an answer
        answer = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(answer), flush=True)
