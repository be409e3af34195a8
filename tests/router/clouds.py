"""Stand-ins for two more doors to known models, over the stand-ins for those: Azure OpenAI, and Gemini on Vertex."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs
from uuid import uuid4

import google.auth.jwt as google_jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from msgspec import structs

from llm_router.demo.standins import gemini, openai
from llm_router.demo.standins.dialect import Document, Frame, Refused, Reply, Request, Stream, Trouble, dump

AZURE_KEY = "standin-azure-0123456789abcdef0123456789"
DEPLOYMENTS = {"our-mini": "gpt-5.4-mini", "gpt-4o-mini": "gpt-4o-mini"}
API_VERSION = "2024-10-21"
PROJECT, LOCATION = "acme-ai", "europe-west4"
SCOPE = "https://www.googleapis.com/auth/cloud-platform"

_FILTER = {"hate": {"filtered": False, "severity": "safe"}, "violence": {"filtered": False, "severity": "safe"}}


class Azure:
    """A resource with ``DEPLOYMENTS``, as the v1 API (``model`` is a deployment) and as the dated one (the path is)."""

    name = "azure"
    ping = openai.OpenAI.ping
    max_body = openai.OpenAI.max_body
    _dated = re.compile(r"/openai/(?:deployments/(?P<deployment>[^/]+)/chat/completions|models)")

    def __init__(self) -> None:
        self._openai = openai.OpenAI()

    def generates(self, request: Request) -> bool:
        return request.method == "POST" and request.path.endswith("/chat/completions")

    def reply(self, request: Request) -> Reply:
        if request.header("api-key") != AZURE_KEY or request.header("authorization") is not None:
            said = "Access denied due to invalid subscription key or wrong API endpoint."
            raise _azure_refusal(401, "401", said)
        dated = self._dated.fullmatch(request.path)
        if dated is None and request.path not in ("/openai/v1/chat/completions", "/openai/v1/models"):
            raise _azure_refusal(404, "404", "Resource not found")
        if dated is not None and request.parameter("api-version") != API_VERSION:
            raise _azure_refusal(404, "404", "Resource not found")
        if not self.generates(request):
            return Document(body=dump({"object": "list", "data": [{"id": name} for name in DEPLOYMENTS.values()]}))
        fields = json.loads(request.body)
        deployment = fields.get("model") if dated is None else dated["deployment"]
        if deployment not in DEPLOYMENTS:
            raise _azure_refusal(404, "DeploymentNotFound", "The API deployment for this resource does not exist.")
        return self._answer(request, fields | {"model": DEPLOYMENTS[deployment]})

    def trouble(self, kind: Trouble, request: Request, *, status: int = 500, retry_after: str | None = None) -> Reply:
        if kind == "content_policy":
            inner = {"code": "ResponsibleAIPolicyViolation", "content_filter_result": _FILTER}
            said = "The response was filtered due to the prompt triggering Azure OpenAI's content management policy."
            more = {"param": "prompt", "type": None, "status": 400, "innererror": inner}
            return _azure_refusal(400, "content_filter", said, more).reply
        return self._openai.trouble(kind, request, status=status, retry_after=retry_after)

    def error_frame(self) -> Frame:
        return self._openai.error_frame()

    def _answer(self, request: Request, fields: dict[str, Any]) -> Reply:
        headers = (("authorization", f"Bearer {openai.KEY}"), ("content-type", "application/json"))
        asked = structs.replace(request, path="/v1/chat/completions", headers=headers, body=dump(fields))
        reply = self._openai.reply(asked)
        if not isinstance(reply, Stream):
            return reply
        filtered = {
            "choices": [],
            "created": 0,
            "id": "",
            "model": "",
            "object": "",
            "prompt_filter_results": [_FILTER],
        }
        return structs.replace(reply, frames=[Frame(data=b"data: " + dump(filtered) + b"\n\n"), *reply.frames])


def _azure_refusal(status: int, code: str, message: str, more: Mapping[str, Any] | None = None) -> Refused:
    return Refused(Document(body=dump({"error": {"code": code, "message": message, **(more or {})}}), status=status))


class Vertex:
    """One project in one location, for whoever has an access token; and the token endpoint that gives one of
    ``lifetime_s`` seconds for a JWT that the account signed."""

    name = "vertex"
    ping = gemini.Gemini.ping
    max_body = gemini.Gemini.max_body
    _models = re.compile(
        r"/v1(?:beta1)?/projects/(?P<project>[^/]+)/locations/(?P<location>[^/]+)/publishers/google(?P<model>/models/[^/]+)"
    )
    _card = re.compile(r"/v1(?:beta1)?/publishers/google(?P<model>/models/[^/:]+)")

    def __init__(self) -> None:
        self._gemini = gemini.Gemini()
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.tokens: list[str] = []
        self.lifetime_s = 3600
        self.email = f"router@{PROJECT}.iam.gserviceaccount.com"

    def key_file(self, file: Path, url: str, key: rsa.RSAPrivateKey | None = None) -> Path:
        """Writes the account's key file, or with ``key`` one that this account does not have."""
        pem = (key or self._key).private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        held = {"type": "service_account", "project_id": PROJECT, "private_key_id": "1", "private_key": pem.decode()}
        file.write_text(json.dumps(held | {"client_email": self.email, "token_uri": f"{url}/token"}))
        return file

    def generates(self, request: Request) -> bool:
        return request.method == "POST" and self._models.fullmatch(request.path) is not None

    def reply(self, request: Request) -> Reply:
        if request.path == "/token":
            return self._token(request)
        if request.bearer not in self.tokens or request.header("x-goog-api-key") is not None:
            said = "Request had invalid authentication credentials. Expected OAuth 2 access token."
            raise _google_refusal(401, "UNAUTHENTICATED", said)
        asked, card = self._models.fullmatch(request.path), self._card.fullmatch(request.path)
        if asked is not None and (asked["project"], asked["location"]) != (PROJECT, LOCATION):
            said = f"Permission 'aiplatform.endpoints.predict' denied on resource 'projects/{asked['project']}'."
            raise _google_refusal(403, "PERMISSION_DENIED", said)
        found = asked or card
        if found is None:
            raise Refused(Document(body=b"<title>Error 404 (Not Found)</title>", status=404, content_type="text/html"))
        headers = (("x-goog-api-key", gemini.KEY), ("content-type", "application/json"))
        return self._gemini.reply(structs.replace(request, path="/v1beta" + found["model"], headers=headers))

    def trouble(self, kind: Trouble, request: Request, *, status: int = 500, retry_after: str | None = None) -> Reply:
        return self._gemini.trouble(kind, request, status=status, retry_after=retry_after)

    def error_frame(self) -> Frame:
        return self._gemini.error_frame()

    def _token(self, request: Request) -> Reply:
        form = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
        public = self._key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        try:
            claims: Mapping[str, Any] = google_jwt.decode(form["assertion"], certs=public)  # type: ignore[no-untyped-call]
            assert form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
            assert claims["iss"] == self.email
            assert claims["scope"] == SCOPE
            assert claims["aud"].endswith("/token")
            assert 0 < claims["exp"] - claims["iat"] <= 3600
        except (KeyError, ValueError, AssertionError):
            said = {"error": "invalid_grant", "error_description": "Invalid JWT Signature."}
            return Document(body=dump(said), status=400)
        self.tokens.append(f"ya29.{uuid4().hex}")
        return Document(
            body=dump({"access_token": self.tokens[-1], "expires_in": self.lifetime_s, "token_type": "Bearer"})
        )


def _google_refusal(status: int, name: str, message: str) -> Refused:
    return Refused(Document(body=dump({"error": {"code": status, "message": message, "status": name}}), status=status))
