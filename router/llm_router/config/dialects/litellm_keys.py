"""The keys of LiteLLM's proxy configuration.

https://docs.litellm.ai/docs/proxy/configs and https://docs.litellm.ai/docs/proxy/config_settings
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import field

from ..scalars import NotNegative, Secret, Text
from .base import Gaps, Keys


class Params(Keys):
    model: Annotated[Text, "Say what is called, such as openai/gpt-5.4-mini."]
    api_base: Text | None = None
    base_url: Text | None = None
    api_key: Secret | None = None
    api_version: Text | None = None
    organization: Text | None = None
    custom_llm_provider: Text | None = None
    region_name: Text | None = None
    extra_headers: dict[Text, str] = field(default_factory=dict)
    rpm: int | None = None
    tpm: int | None = None
    max_parallel_requests: int | None = None
    weight: int | None = None
    input_cost_per_token: NotNegative | None = None
    output_cost_per_token: NotNegative | None = None
    vertex_project: Text | None = None
    vertex_location: Text | None = None
    vertex_credentials: Text | None = None


class ModelInfo(Keys):
    id: Text | None = None
    mode: Literal["chat"] = "chat"
    max_input_tokens: int | None = None
    input_cost_per_token: NotNegative | None = None
    output_cost_per_token: NotNegative | None = None


class Entry(Keys):
    """One deployment, as LiteLLM calls it. Those with the same ``model_name`` share its requests."""

    model_name: Annotated[Text, "Say under which name clients ask for it."]
    litellm_params: Annotated[Params, "Say what is called, and how."]
    model_info: ModelInfo = ModelInfo()
    rpm: int | None = None
    tpm: int | None = None


Groups = tuple[dict[Text, tuple[Text, ...]], ...]
"""``[{"gpt-4": ["gpt-3.5"]}]``: model names, and those that may stand in for them."""


class RouterSettings(Keys):
    routing_strategy: Literal[
        "simple-shuffle",
        "latency-based-routing",
        "cost-based-routing",
        "least-busy",
        "usage-based-routing",
        "usage-based-routing-v2",
    ] = "simple-shuffle"
    num_retries: int | None = None
    timeout: float | None = None
    stream_timeout: float | None = None
    allowed_fails: int | None = None
    cooldown_time: float | None = None
    enable_pre_call_checks: bool = True
    model_group_alias: dict[Text, Text] = field(default_factory=dict)
    fallbacks: Groups = ()
    default_fallbacks: tuple[Text, ...] = ()
    default_max_parallel_requests: int | None = None
    redis_url: Secret | None = None
    redis_host: Text | None = None
    redis_port: int | None = None
    redis_password: Secret | None = None
    redis_db: int | None = None


class Settings(Keys):
    num_retries: int | None = None
    request_timeout: float | None = None
    allowed_fails: int | None = None
    drop_params: bool = False
    json_logs: bool = False
    turn_off_message_logging: bool = False
    redact_user_api_key_info: bool = False
    fallbacks: Groups = ()
    default_fallbacks: tuple[Text, ...] = ()


class GeneralSettings(Keys):
    master_key: Secret | None = None
    background_health_checks: bool = True
    health_check_interval: float | None = None


class LiteLLM(Keys):
    model_list: tuple[Entry, ...]
    router_settings: RouterSettings = RouterSettings()
    litellm_settings: Settings = Settings()
    general_settings: GeneralSettings = GeneralSettings()


_FIXED = "requests are passed on as they come: remove it, and let clients say it"
_AWS = "Amazon Bedrock and SageMaker are not yet available: remove this model"
_DIFFERENT_MODEL = "another model for this kind of error is not yet available: remove it (fallbacks is there)"
_OBSERVED = "metrics are at /metrics, and nothing is sent elsewhere: remove it"
_LOG_LEVEL = "set LOG_LEVEL in the environment: remove it"
_CACHE = "there is no cache of answers: remove it"
_KEYS = "client keys live in a file of digests: llm-router keys create makes it, access.apiKeysFile names it"
_CALLERS = "limits for callers stand with their keys (llm-router keys create --concurrency …): remove it"
_DATABASE = "there is no database: remove it"
_ONE_TIMEOUT = "one timeout holds for all: set router_settings.timeout"
_REQUEST_FIELDS = """
temperature top_p max_tokens max_completion_tokens seed stop n user frequency_penalty presence_penalty response_format
tools extra_body metadata
"""
_AWS_FIELDS = """
aws_region_name aws_access_key_id aws_secret_access_key aws_session_token aws_role_name aws_session_name
aws_profile_name
"""

GAPS: Gaps = {
    "environment_variables": "set them in the router's own environment: remove them",
    "callback_settings": _OBSERVED,
    "credential_list": "say api_key and api_base at each model: remove it",
    "guardrails": "prompts are not inspected: remove it",
    "mcp_servers": "this router serves no MCP: remove it",
    "model_list": {
        "*": {
            "litellm_params": {
                **dict.fromkeys(_REQUEST_FIELDS.split(), _FIXED),
                **dict.fromkeys(_AWS_FIELDS.split(), _AWS),
                **dict.fromkeys(("timeout", "stream_timeout"), _ONE_TIMEOUT),
                "max_retries": "retries are counted for the whole request: set router_settings.num_retries",
                "num_retries": "retries are counted for the whole request: set router_settings.num_retries",
                "azure_ad_token": "Entra tokens are not yet available: use api_key",
                "litellm_credential_name": "say api_key and api_base here: remove it",
                "order": "an order within a model name is not yet available: use weight, or fallbacks",
                "tags": "tags are not yet available: remove it",
                "mock_response": "there are no made-up answers: remove it",
                "drop_params": "hints that a model cannot take are dropped anyway: remove it",
            },
            "model_info": {
                **dict.fromkeys(("version", "description", "metadata"), "has no meaning here: remove it"),
                **dict.fromkeys(
                    ("supports_function_calling", "supports_vision"), "found out by asking the model: remove it"
                ),
                "base_model": "say what a token costs with input_cost_per_token and output_cost_per_token: remove it",
                "max_tokens": "say max_input_tokens for the context window: remove it",
                "max_output_tokens": "answers are bounded by the request and the context window: remove it",
                "health_check_model": "the list of models is asked for instead: remove it",
            },
        }
    },
    "router_settings": {
        **dict.fromkeys(("context_window_fallbacks", "content_policy_fallbacks"), _DIFFERENT_MODEL),
        **dict.fromkeys(("cache_responses", "cache_kwargs", "caching_groups"), _CACHE),
        **dict.fromkeys(("set_verbose", "debug_level"), _LOG_LEVEL),
        **dict.fromkeys(
            ("retry_policy", "allowed_fails_policy", "model_group_retry_policy"),
            "one number of retries holds for all errors: remove it",
        ),
        "disable_cooldowns": "the breaker is always on: remove it",
        "enable_tag_filtering": "tags are not yet available: remove it",
        "routing_strategy_args": "the strategies take no arguments: remove it",
        "retry_after": "the router paces its attempts itself: remove it",
        "max_fallbacks": "num_retries bounds all attempts: remove it",
        "provider_budget_config": "budgets stand with each provider: llm-router import, then say budget there",
        "optional_pre_call_checks": "has no meaning here: remove it",
        "default_litellm_params": _FIXED,
    },
    "litellm_settings": {
        **dict.fromkeys(("success_callback", "failure_callback", "callbacks", "service_callbacks"), _OBSERVED),
        **dict.fromkeys(("context_window_fallbacks", "content_policy_fallbacks"), _DIFFERENT_MODEL),
        **dict.fromkeys(("cache", "cache_params"), _CACHE),
        "set_verbose": _LOG_LEVEL,
        "force_ipv4": "has no meaning here: remove it",
        "modify_params": "requests are not rewritten: remove it",
        "mcp_aliases": "this router serves no MCP: remove it",
    },
    "general_settings": {
        **dict.fromkeys(("database_url", "database_connection_pool_limit", "store_model_in_db"), _DATABASE),
        **dict.fromkeys(("custom_auth", "enable_jwt_auth", "allowed_routes"), _KEYS),
        **dict.fromkeys(("alerting", "alerting_threshold", "alert_types"), "alert on the metrics instead: remove it"),
        **dict.fromkeys(("max_parallel_requests", "global_max_parallel_requests"), _CALLERS),
        "key_management_system": "write ${NAME}, file:/path or secret:NAME instead: remove it",
        "completion_model": "say router_settings.default_fallbacks, or name the model in requests: remove it",
    },
}
