"""Pulumi's policy pack of the platform: pulumi preview --policy-pack ../policy"""

from __future__ import annotations

from llm_policy.pack import pack

pack()
