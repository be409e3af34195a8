"""llama.cpp's own server, started by the launcher: it loads both tiny models, and refuses to start with a reason."""

from __future__ import annotations

import importlib.util
import os
import signal
import socket
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from llm_router.demo.engine import EngineError, check_model, check_port
from llm_router.demo.models import Models
from tests.router.llama import Llama
from tests.router.ports import free_port
from tests.router.processes import NotReady, Process, answers

Start = Callable[..., Process]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a launcher with these options; all of them are ended after the test."""
    started: list[Process] = []

    def run(*options: str | Path, env: dict[str, str] | None = None) -> Process:
        command: list[str | Path] = [sys.executable, "-m", "llm_router.demo.engine", *options]
        started.append(Process(command, tmp_path / f"engine{len(started)}.log", env=env))
        return started[-1]

    yield run
    for process in started:
        process.end()


def post(llama: Llama, path: str, body: dict[str, Any], api_key: str | None = None) -> httpx.Response:
    headers = {"authorization": f"Bearer {api_key or llama.api_key}"}
    return httpx.post(f"{llama.url}{path}", json=body, headers=headers, timeout=30, trust_env=False)


def chat(llama: Llama, text: str, **options: Any) -> dict[str, Any]:
    body = {"messages": [{"role": "user", "content": text}], "temperature": 0, **options}
    answer = post(llama, "/v1/chat/completions", body)
    assert answer.status_code == 200, answer.text
    decoded: dict[str, Any] = answer.json()
    return decoded


def test_it_answers_in_sentences_and_stops_by_itself(llama: Llama) -> None:
    answer = chat(llama, "Describe the lighthouse.", max_tokens=300)
    assert answer["choices"][0]["finish_reason"] == "stop"
    assert "lighthouse" in answer["choices"][0]["message"]["content"]
    assert answer["model"] == llama.model
    assert answer["usage"]["completion_tokens"] > 3


def test_a_system_prompt_a_history_and_a_foreign_script_do_not_derail_it(llama: Llama) -> None:
    history = [
        {"role": "system", "content": "Answer in one word. Ответь."},
        {"role": "user", "content": "こんにちは"},
        {"role": "assistant", "content": "Hello!"},
        {"role": "user", "content": "{'json': [1, 2, 3]}"},
    ]
    answer = chat(llama, "", messages=history, max_tokens=300)
    words = answer["choices"][0]["message"]["content"].split()
    assert len(words) > 2
    assert all(word.isascii() for word in words)


def test_four_slots_of_2048_tokens(llama: Llama) -> None:
    headers = {"authorization": f"Bearer {llama.api_key}"}
    slots = httpx.get(f"{llama.url}/slots", headers=headers, trust_env=False).json()
    assert [slot["n_ctx"] for slot in slots] == [2048] * 4


def test_a_prompt_above_a_slots_context_is_refused(llama: Llama) -> None:
    body = {"messages": [{"role": "user", "content": "rain " * 2100}]}
    answer = post(llama, "/v1/chat/completions", body)
    assert (answer.status_code, answer.json()["error"]["type"]) == (400, "exceed_context_size_error")


def test_only_health_is_open_without_the_key(llama: Llama) -> None:
    assert httpx.get(f"{llama.url}/health", trust_env=False).json() == {"status": "ok"}
    for path in ("/metrics", "/slots", "/v1/models"):
        assert httpx.get(f"{llama.url}{path}", trust_env=False).status_code == 401, path
    assert post(llama, "/v1/chat/completions", {"messages": []}, api_key="other").status_code == 401


def test_metrics_are_on(llama: Llama) -> None:
    chat(llama, "Hi", max_tokens=4)
    headers = {"authorization": f"Bearer {llama.api_key}"}
    metrics = httpx.get(f"{llama.url}/metrics", headers=headers, trust_env=False).text
    assert "llamacpp:tokens_predicted_total" in metrics
    assert "llamacpp:requests_deferred" in metrics


def test_the_key_is_not_on_the_command_line(llama: Llama) -> None:
    assert llama.api_key not in Path(f"/proc/{llama.process.pid}/cmdline").read_text()


def test_the_tokenizer_is_the_one_the_model_learned_with(llama: Llama) -> None:
    text = "The harbour is quiet on Sunday, because the fog is thick. ñ 12"
    tokens = post(llama, "/tokenize", {"content": text}).json()["tokens"]
    assert post(llama, "/detokenize", {"tokens": tokens}).json()["content"] == text
    assert len(tokens) == 18


def test_both_models_say_the_same_and_the_large_one_works_longer(
    llama: Llama, start: Start, tiny_models: Models, tmp_path: Path
) -> None:
    key_file, port = tmp_path / "key", free_port()
    key_file.write_text(f"{llama.api_key}\n")
    process = start("--model", tiny_models.large, "--port", str(port), "--alias", "large", "--api-key-file", key_file)
    large = Llama(url=f"http://127.0.0.1:{port}", api_key=llama.api_key, model="large", process=process)
    process.wait_until(lambda: answers(f"{large.url}/health"))
    small_says, large_says = (chat(one, "Tell me a story about the market.") for one in (llama, large))
    assert large_says["choices"] == small_says["choices"]
    assert large_says["timings"]["predicted_ms"] > 3 * small_says["timings"]["predicted_ms"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_at_once_with_code_0(start: Start, tiny_models: Models, number: signal.Signals) -> None:
    port = free_port()
    process = start("--model", tiny_models.small, "--port", str(port), "--alias", "tiny")
    process.wait_until(lambda: "serving tiny" in process.output)
    body = {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 1900, "ignore_eos": True, "stream": True}
    with httpx.stream("POST", f"http://127.0.0.1:{port}/v1/chat/completions", json=body, trust_env=False) as stream:
        next(stream.iter_raw())
        process.send(number)
        assert process.wait(deadline_s=5) == 0


def test_it_ends_with_the_process_that_started_it(tiny_models: Models, tmp_path: Path) -> None:
    """A launcher's launcher starts it and is killed by SIGKILL: nothing is left listening."""
    port = free_port()
    options = ["--model", str(tiny_models.small), "--port", str(port), "--alias", "t", "--end-with-parent"]
    program = f"""
        import subprocess, sys
        subprocess.run([sys.executable, "-m", "llm_router.demo.engine", *{options!r}])
    """
    parent = Process([sys.executable, "-c", textwrap.dedent(program)], tmp_path / "parent.log")
    parent.wait_until(lambda: answers(f"http://127.0.0.1:{port}/health"))
    parent.send(signal.SIGKILL)
    parent.wait()
    with Process([sys.executable, "-c", "import time; time.sleep(60)"], tmp_path / "wait.log") as meanwhile:
        meanwhile.wait_until(lambda: not answers(f"http://127.0.0.1:{port}/health"), deadline_s=10)


def refused(process: Process) -> str:
    assert process.wait() == 1
    return process.output


def test_a_port_in_use_is_named(start: Start, llama: Llama, tiny_models: Models) -> None:
    port = llama.url.rpartition(":")[2]
    said = refused(start("--model", tiny_models.small, "--port", port, "--alias", "t"))
    assert f"cannot listen on 127.0.0.1 port {port}: Address already in use; choose another port" in said


def test_a_model_that_is_not_there_is_named(start: Start, tmp_path: Path) -> None:
    said = refused(start("--model", tmp_path / "none.gguf", "--port", str(free_port()), "--alias", "t"))
    assert f"cannot read the model {tmp_path / 'none.gguf'}: No such file or directory" in said


def test_a_truncated_model_is_refused(start: Start, tiny_models: Models, tmp_path: Path) -> None:
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(tiny_models.small.read_bytes()[:100_000])
    said = refused(start("--model", cut, "--port", str(free_port()), "--alias", "t"))
    assert f"llama.cpp did not start with {cut}" in said


def test_a_key_file_that_is_not_there_is_named(start: Start, tiny_models: Models, tmp_path: Path) -> None:
    options = ["--model", tiny_models.small, "--port", str(free_port()), "--alias", "t"]
    assert "cannot read the API key" in refused(start(*options, "--api-key-file", tmp_path / "none"))


def test_the_other_engine_says_how_to_install_it(start: Start, tiny_models: Models) -> None:
    options = ["--model", tiny_models.small, "--port", str(free_port()), "--alias", "t", "--engine", "llama-cpp-python"]
    if importlib.util.find_spec("llama_cpp") is not None:
        process = start(*options)
        process.wait_until(lambda: answers(f"http://127.0.0.1:{options[3]}/health"), deadline_s=60)
    else:
        assert "make demo ARGS='--engine llama-cpp-python'" in refused(start(*options))


def test_a_slot_count_below_one_is_a_wrong_command_line(start: Start, tiny_models: Models) -> None:
    process = start("--model", tiny_models.small, "--port", "1", "--alias", "t", "--parallel", "0")
    assert process.wait() == 2


def test_a_file_of_another_kind_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "weights.bin").write_bytes(b"\x93NUMPY")
    with pytest.raises(EngineError, match="is not a GGUF file"):
        check_model(tmp_path / "weights.bin")


def test_a_port_that_lingers_after_a_connection_is_free() -> None:
    """The side that closes first keeps the port in TIME_WAIT, as a server that was just ended does."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as client:
            accepted, _ = server.accept()
            accepted.close()
            assert client.recv(1) == b""
    check_port("127.0.0.1", port)


def test_a_process_that_is_not_ready_tells_what_it_said(tmp_path: Path) -> None:
    with Process([sys.executable, "-c", "print('no luck'); raise SystemExit(3)"], tmp_path / "log") as process:
        with pytest.raises(NotReady, match="ended with code 3; it said:\nno luck"):
            process.wait_until(lambda: False)
    assert os.path.exists(process.log)
