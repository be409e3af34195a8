"""Asks a pool for one token as the router would, signed; exit code 1 where it does not answer.

The environment says whom: ENDPOINT, AUTHORITY, TARGET, MODEL, KEY_ID, KEY. TLS_DIR may hold ca.crt, for who has a
certificate of a CA of its own, and tls.crt with tls.key, to show.
"""

import json
import os
import ssl
import sys
import time
import uuid
from pathlib import Path

import httpx

from llm_router.upstream.signing import Signer

PATH = "/v1/chat/completions"


def trust() -> ssl.SSLContext:
    folder = Path(os.environ.get("TLS_DIR", "/nowhere"))
    authority, certificate = folder / "ca.crt", folder / "tls.crt"
    context = ssl.create_default_context(cafile=authority if authority.exists() else None)
    if certificate.exists():
        context.load_cert_chain(certificate, folder / "tls.key")
    return context


def main() -> int:
    env = os.environ
    question = {"model": env["MODEL"], "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 1}
    body = json.dumps(question).encode()
    signer = Signer(env["KEY_ID"], env["KEY"], env["AUTHORITY"], env["TARGET"])
    signed = signer.sign(
        method="POST",
        path=PATH,
        query="",
        content_type="application/json",
        body=body,
        request_id=str(uuid.uuid4()),
        now=time.time(),
    )
    headers = [("content-type", "application/json"), *signed]
    with httpx.Client(verify=trust(), timeout=120, trust_env=False) as client:
        answer = client.post(env["ENDPOINT"] + PATH, content=body, headers=headers)
    print(answer.status_code, answer.text)
    return 0 if answer.status_code == 200 and answer.json()["choices"] else 1


if __name__ == "__main__":
    sys.exit(main())
