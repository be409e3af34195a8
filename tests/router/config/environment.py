"""The environment in which the configurations of the tests are loaded."""

from __future__ import annotations

import base64


def gate_key(seed: int) -> str:
    """A shared secret as ``openssl rand -base64 32`` makes them."""
    return base64.b64encode(bytes((seed * 37 + i * 11) % 256 for i in range(32))).decode()


ENV = {
    "GATE_KEY": gate_key(1),
    "OTHER_KEY": gate_key(2),
    "AWS_GATE_KEY": gate_key(3),
    "GCP_GATE_KEY": gate_key(4),
    "OPENAI_API_KEY": "sk-proj-0a1b2c3d4e5f6g7h8i9j",
    "ANTHROPIC_API_KEY": "sk-ant-0a1b2c3d4e5f6g7h8i9j",
    "GEMINI_API_KEY": "AIza-0a1b2c3d4e5f6g7h8i9j",
    "ADMIN_HASH": "$scrypt$ln=14,r=8,p=1$MDEyMzQ1Njc4OWFiY2RlZg$QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY",
    "EMPTY": "",
    "PLACEHOLDER": "changeme",
    "NO_BASE64": "correct horse battery staple of length",
    "SHORT_KEY": base64.b64encode(bytes(range(24))).decode(),
    "SHORT": "sk-1234567",
    "TWO_LINES": "first line\nsecond line",
    "PORT": "8088",
    "HOST": "localhost",
    "STRATEGY": "cost",
    "FLAG": "false",
    "TOTAL": "2m",
    "CLOUD": "aws",
    "REGION": "eu-west-1",
    "NODE_PRICE": "0.25",
}
