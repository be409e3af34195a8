"""Stand-ins for OpenAI, Anthropic and Gemini: what cannot be had on a laptop, speaking the true protocols.

They answer with generated text instead of a model's, count tokens with one simple rule, refuse what the real ones
refuse, and can be told over a control endpoint to fail in the ways that providers fail. Start all three with
``python -m llm_router.demo.standins``.
"""
