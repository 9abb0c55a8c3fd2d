"""Chunks on a Ray cluster of two nodes on this machine: real processes, some of them killed."""

from __future__ import annotations

import logging
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest

import tempseg
from tempseg.cli.app import app
from tempseg.config import load_config
from tempseg.errors import ConfigError, ModelError, OutputError, RunError, SourceError
from tempseg.many import run_each
from tempseg.outputs import library_versions
from tempseg.runners import ray_site
from tempseg.runners.chunks import SourceState, plan_run
from tempseg.runners.on_ray import shared_out
from tempseg.runners.ray_site import RaySite
from tempseg.runners.storage import Storage
from tempseg.runners.worker import Begin

from ..video.clips import damage, write_clip
from .conftest import CONFIG, FRAMES, digest
from .watching import Counted

cluster_utils = pytest.importorskip("ray.cluster_utils", reason="Ray is not installed")

ROOT = Path(__file__).resolve().parents[2]
MODELS = "python:tests.runners.models"
LEARNT = CONFIG | {"segmenter.classes": "auto"}
NODE = {"num_cpus": 1, "object_store_memory": 80 << 20, "include_dashboard": False}


class TwoNodes:
    """One node that runs are connected to, and one that may be lost."""

    def __init__(self):
        self._cluster = cluster_utils.Cluster(initialize_head=True, head_node_args=NODE)
        self._other = self._cluster.add_node(**NODE)

    @property
    def address(self):
        return self._cluster.address

    def kill_the_other(self):
        self._cluster.remove_node(self._other, allow_graceful=False)
        self._other = None

    def mend(self):
        if self._other is None:
            self._other = self._cluster.add_node(**NODE)

    def stop(self):
        self._cluster.shutdown()


@pytest.fixture(scope="module")
def _started():
    before = os.environ.get("RAY_USAGE_STATS_ENABLED")
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    nodes = TwoNodes()
    yield nodes
    nodes.stop()
    os.environ.pop("RAY_USAGE_STATS_ENABLED")
    if before is not None:
        os.environ["RAY_USAGE_STATS_ENABLED"] = before


@pytest.fixture
def cluster(_started):
    yield _started
    _started.mend()


@pytest.fixture(scope="module")
def learnt(material, tmp_path_factory):
    """The folder of a run in one process whose model answers at once."""
    out = tmp_path_factory.mktemp("learnt") / "run"
    tempseg.run(material.clip, out, model=f"{MODELS}:bright", config=LEARNT)
    return out


def test_two_nodes_give_the_bytes_of_one_process_and_tell_how_far_they_are(
    cluster, material, whole, tmp_path, monkeypatch
):
    # Paths that begin in the run's working folder, which is not the cluster's.
    monkeypatch.chdir(tmp_path)
    source = os.path.relpath(material.clip, tmp_path)
    watch = Counted()
    material.run("run", source=source, ray=cluster.address, observer=watch)
    assert digest(tmp_path / "run") == digest(whole)
    assert watch.frames == watch.expected == FRAMES
    assert sorted(os.listdir(tmp_path / "run")) == sorted(os.listdir(whole))


def test_many_sources_are_run_over_one_connection(cluster, material, tmp_path, monkeypatch):
    import ray

    joined = []
    own = ray.init
    monkeypatch.setattr(ray, "init", lambda **options: (joined.append(options), own(**options)))
    copy = tmp_path / "copy.mp4"
    shutil.copy(material.clip, copy)
    outcomes = list(
        run_each(
            [str(material.clip), str(copy)],
            tmp_path / "runs",
            model=material.model,
            config=CONFIG | {"run.ray": cluster.address},
        )
    )
    assert [outcome.error for outcome in outcomes] == [None, None]
    assert digest(outcomes[0].folder) == digest(outcomes[1].folder)
    assert len(joined) == 1
    assert not ray.is_initialized()


def test_what_workers_warn_of_is_told_where_the_run_is(cluster, material, tmp_path, caplog):
    harmed = tmp_path / "harmed.mp4"
    shutil.copy(material.clip, harmed)
    damage(harmed, 20, 21, 45)
    material.run(tmp_path / "one", source=harmed)
    warned = {record.getMessage() for record in caplog.records}
    assert warned
    caplog.clear()
    material.run(tmp_path / "run", source=harmed, ray=cluster.address)
    assert {record.getMessage() for record in caplog.records} == warned
    assert digest(tmp_path / "one") == digest(tmp_path / "run")


def test_a_node_that_is_killed_half_way_changes_no_byte(
    cluster, material, learnt, tmp_path, caplog, capfd
):
    watch = Counted(30, cluster.kill_the_other)
    tempseg.run(
        material.clip,
        tmp_path / "run",
        model=f"{MODELS}:slow",
        config=LEARNT,
        ray=cluster.address,
        observer=watch,
    )
    assert re.search(r"a worker died \(.*node .*\); done again: chunk \d", caplog.text)
    assert digest(tmp_path / "run") == digest(learnt)
    assert watch.frames == FRAMES
    told = capfd.readouterr()
    assert told.out == ""
    assert "raylet" not in told.err


def test_a_chunk_that_ends_its_workers_is_named_after_two_more_tries(cluster, tmp_path):
    pictures = [np.full((48, 64, 3), 250 if 27 <= i < 31 else 90, np.uint8) for i in range(48)]
    clip = write_clip(
        tmp_path / "clip.mp4",
        range(48),
        options={"preset": "ultrafast", "g": "8", "sc_threshold": "0"},
        frames=(av.VideoFrame.from_ndarray(picture, "rgb24") for picture in pictures),
    )
    with pytest.raises(
        RunError,
        match=r"chunk 3, from 0\.96 s: its worker died 3 times .*run without --ray to see why",
    ):
        tempseg.run(
            clip,
            tmp_path / "run",
            model=f"{MODELS}:deadly",
            config=LEARNT | {"run.chunk_s": 0.3},
            ray=cluster.address,
        )
    left = os.listdir(tmp_path / "run" / "partial" / "chunks")
    assert {"00000", "00001", "00002"} <= {name for name in left if name.isdigit()}
    assert "00003" not in left
    assert not [name for name in left if name.startswith("worker")]


def test_a_model_that_cannot_be_loaded_or_fails_is_told_as_with_workers(
    cluster, material, tmp_path
):
    with pytest.raises(ModelError, match="no module 'nowhere'"):
        tempseg.run(
            material.clip,
            tmp_path / "run",
            model="python:nowhere:f",
            config=CONFIG,
            ray=cluster.address,
        )
    assert not (tmp_path / "run").exists()
    with pytest.raises((ModelError, RunError), match="the function raised RuntimeError"):
        tempseg.run(
            material.clip,
            tmp_path / "run",
            model="python:tests.segmenters.functions:breaks",
            config=CONFIG | {"segmenter.classes": "binary"},
            ray=cluster.address,
        )


def test_chunks_come_through_storage(cluster, material, whole, tmp_path, monkeypatch):
    taken = []
    own = Storage.take

    def watched(self, folder):
        own(self, folder)
        taken.append(folder.name)

    monkeypatch.setattr(Storage, "take", watched)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    material.run(
        tmp_path / "run",
        ray=cluster.address,
        config={"run.storage": f"file://{tmp_path / 'storage'}"},
    )
    assert digest(tmp_path / "run") == digest(whole)
    assert sorted(taken) == [f"{number:05d}" for number in range(5)]
    assert list((tmp_path / "storage").iterdir()) == []


def test_storage_that_is_not_one_for_all_nodes_is_refused(cluster, material, tmp_path):
    with pytest.raises(OutputError, match=r"node [\d.]+ does not see what the run wrote there"):
        material.run(
            tmp_path / "run", ray=cluster.address, config={"run.storage": "memory://chunks"}
        )


def test_a_chunk_that_storage_has_harmed_does_not_count(cluster, material, tmp_path, monkeypatch):
    own = Storage.take

    def harmed(self, folder):
        own(self, folder)
        with (folder / "masks.mkv").open("r+b") as file:
            file.seek(100)
            file.write(b"\x00harm")

    monkeypatch.setattr(Storage, "take", harmed)
    with pytest.raises((OutputError, RunError), match=r"is not what node [\d.]+ has written"):
        material.run(
            tmp_path / "run",
            ray=cluster.address,
            config={"run.storage": f"file://{tmp_path / 'storage'}"},
        )


def test_ctrl_c_ends_a_cluster_of_its_own_and_what_is_done_is_gone_on_with(
    material, learnt, tmp_path
):
    out = tmp_path / "run"
    sets = [f"--set={key}={value}" for key, value in LEARNT.items() if key != "output.report"]
    running = subprocess.Popen(
        [
            *(sys.executable, "-m", "tempseg", "run", "--ray", str(material.clip), "--no-report"),
            *("--model", f"{MODELS}:slow", "--out", str(out), "--workers", "2", *sets),
        ],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path[1:]])},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        process_group=0,
    )
    end = time.monotonic() + 120
    # Whichever comes first: one of the two may be long in starting.
    while not any(out.glob("partial/chunks/0*")):
        assert running.poll() is None, running.stderr.read()
        assert time.monotonic() < end
        time.sleep(0.02)
    below = _below(running.pid)
    assert len(below) > 3
    # Neither what asks for more nodes, nor what gathers logs or serves pages.
    programs = [Path(f"/proc/{pid}/cmdline").read_text() for pid in below]
    unwanted = "monitor.py", "dashboard/dashboard.py"
    assert not [program for program in programs if any(name in program for name in unwanted)]
    start = time.monotonic()
    os.killpg(running.pid, signal.SIGINT)
    told, errors = running.communicate(timeout=20)
    assert time.monotonic() - start < 5
    assert running.returncode == 1
    assert told == ""
    assert re.fullmatch(
        r"error: interrupted; what was done is in .*; go on with: tempseg run --ray .* --resume\n",
        errors,
    )
    end = time.monotonic() + 5
    while any(Path(f"/proc/{pid}").exists() for pid in below):
        assert time.monotonic() < end
        time.sleep(0.02)
    tempseg.run(material.clip, out, model=f"{MODELS}:slow", config=LEARNT, resume=True)
    assert digest(out) == digest(learnt)


OWN_CLUSTER = """
import ray
from ray._private import parameter, services, worker
from tempseg.runners.ray_connection import connected

def theirs():
    return (
        parameter.RayParams,
        services.start_api_server,
        services.get_node,
        worker.print_to_stdstream,
    )

before = theirs()
with connected("local", 1) as ray:
    node = ray.get_runtime_context().get_node_id()
    assert [known["NodeID"] for known in ray.nodes() if known["Alive"]] == [node]
assert theirs() == before
assert not ray.is_initialized()
"""


def test_a_cluster_of_its_own_leaves_ray_as_it_was():
    # In a process of its own: where one has had two clusters, Ray takes actors of one for the
    # other's.
    done = subprocess.run(
        [sys.executable, "-c", OWN_CLUSTER],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path[1:]])},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr


def _below(pid):
    """Return the processes that a process has started, and theirs."""
    found = []
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        found += [int(child), *_below(child)]
    return found


def test_a_run_without_ray_installed_names_what_to_install(material, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ConfigError, match=r"Ray is not installed: pip install 'tempseg\[ray\]'"):
        material.run(tmp_path / "run", ray="local")
    assert not (tmp_path / "run").exists()


def test_a_cluster_that_is_not_there_is_told_at_once(material, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    start = time.monotonic()
    with pytest.raises(ConfigError, match=rf"--ray 127\.0\.0\.1:{port}: no cluster answers there"):
        material.run(tmp_path / "run", ray=f"127.0.0.1:{port}")
    with pytest.raises(ConfigError, match="give HOST:PORT"):
        material.run(tmp_path / "run", ray="head")
    with pytest.raises(ConfigError, match="on a node of the cluster"):
        material.run(tmp_path / "run", ray="ray://head:10001")
    assert time.monotonic() - start < 5


@pytest.mark.parametrize("answer", [b"HTTP/1.0 400 Bad request\r\n\r\n", b""])
def test_what_is_no_cluster_is_told_at_once(material, tmp_path, monkeypatch, answer):
    import ray

    def never(**_):
        raise AssertionError("Ray would wait for ever")

    def serve():
        line, _ = server.accept()
        with line:
            line.recv(100)
            line.sendall(answer)

    monkeypatch.setattr(ray, "init", never)
    with socket.create_server(("127.0.0.1", 0)) as server:
        serving = threading.Thread(target=serve, name="no-cluster", daemon=True)
        serving.start()
        port = server.getsockname()[1]
        with pytest.raises(ConfigError, match=rf"127\.0\.0\.1:{port}: .* is no cluster; give"):
            material.run(tmp_path / "run", ray=f"127.0.0.1:{port}")
        serving.join()


def test_a_run_that_is_ended_while_it_joins_says_nothing_of_the_cluster(
    material, tmp_path, monkeypatch
):
    import ray

    def ended(**_):
        raise SystemExit(signal.SIGTERM.value)

    monkeypatch.setattr(ray, "init", ended)
    with pytest.raises(SystemExit):
        material.run(tmp_path / "run", ray="auto")


def test_storage_that_cannot_be_reached_is_told_before_anything_is_started(material, tmp_path):
    with pytest.raises(ConfigError, match=r"run\.storage nothing://x: cannot be reached"):
        material.run(tmp_path / "run", ray="local", config={"run.storage": "nothing://x"})


def test_storage_gives_back_what_was_put_there_and_is_left_empty(tmp_path):
    store = Storage("memory://tests/of/storage")
    store.begin()
    assert store.begun()
    chunk, back = tmp_path / "here" / "00003", tmp_path / "there" / "00003"
    for folder in (chunk, back):
        folder.mkdir(parents=True)
    (chunk / "masks.mkv").write_bytes(b"masks")
    (chunk / "chunk.json").write_text("{}")
    store.put(chunk)
    Storage(store.url).take(back)
    assert {path.name: path.read_bytes() for path in back.iterdir()} == {
        "masks.mkv": b"masks",
        "chunk.json": b"{}",
    }
    with pytest.raises(OutputError, match=r"memory://tests/of/storage: cannot be read"):
        store.take(back)
    store.clear()
    assert not store.begun()


def test_profiling_follows_one_process(material, tmp_path):
    with pytest.raises(ConfigError, match=r"run\.ray"):
        material.run(tmp_path / "run", ray="local", profile=tmp_path / "trace.json")


@pytest.mark.parametrize(
    ("given", "address", "sources"),
    [
        (["--ray", "clip.mp4"], "local", ["clip.mp4"]),
        (["clip.mp4", "--ray"], "local", ["clip.mp4"]),
        (["--ray", "auto", "clip.mp4"], "auto", ["clip.mp4"]),
        (["--ray", "10.0.0.1:6379", "clip.mp4"], "10.0.0.1:6379", ["clip.mp4"]),
        (["--ray=head.example:6379", "clip.mp4"], "head.example:6379", ["clip.mp4"]),
        (["--ray", "--no-overlay", "clip.mp4"], "local", ["clip.mp4"]),
        (["--ray", "[::1]:6379", "a.mp4", "b.mp4"], "[::1]:6379", ["a.mp4", "b.mp4"]),
        (["--ray", "--", "auto"], "local", ["auto"]),
        (["--ray", "*.mp4"], "local", ["*.mp4"]),
        (["clip.mp4"], None, ["clip.mp4"]),
    ],
)
def test_ray_takes_an_address_or_none_before_sources_and_after(
    given, address, sources, monkeypatch, tmp_path
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "clip.mp4").touch()
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    assert _parsed(given) == (address, sources)


def test_a_word_after_ray_that_is_neither_address_nor_source_is_told_at_once():
    told = r"--ray head: neither a cluster's HOST:PORT, auto or local, nor a source that is there"
    with pytest.raises(ConfigError, match=told):
        _parsed(["clip.mp4", "--ray", "head"])


def test_ray_alone_means_the_cluster_that_the_environment_names(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "clip.mp4").touch()
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.1:6379")
    assert _parsed(["--ray", "clip.mp4"]) == ("10.0.0.1:6379", ["clip.mp4"])


def _parsed(given):
    from typer.main import get_command

    command = get_command(app).commands["run"]
    context = command.make_context("run", ["--out", "run", *given])
    return context.params["ray"], context.params["sources"]


@pytest.mark.parametrize(
    ("there", "wanted", "chunks", "expected"),
    [
        ([2], None, 50, (2, 1)),
        ([16], None, 2, (2, 8)),
        ([16], 4, 50, (4, 4)),
        ([3, 3], 2, 50, (2, 3)),
        ([8, 2], 2, 50, (2, 4)),
        ([2], 6, 50, (6, 1)),
        ([0], 6, 50, (6, 1)),
        ([64], 1, 50, (1, 8)),
    ],
)
def test_workers_share_the_processors_so_that_all_find_room(there, wanted, chunks, expected):
    assert shared_out(there, wanted=wanted, chunks=chunks) == expected


@pytest.fixture
def elsewhere(monkeypatch):
    """A node that is not the run's."""
    monkeypatch.setattr(ray_site, "_here", lambda: ("b", "10.0.0.2"))
    return RaySite("a", library_versions(), stored=False)


@pytest.fixture
def plan(material):
    return plan_run(
        str(material.clip), load_config(overrides=CONFIG | {"segmenter.model": material.model})
    )


def test_a_node_without_the_source_or_the_model_is_named(elsewhere, plan, tmp_path):
    state = SourceState(str(tmp_path / "clip.mp4"), 10, 0)
    with pytest.raises(SourceError, match=r"cannot be found.*on node 10\.0\.0\.2: .*same paths"):
        elsewhere.load(replace(plan, state=state))
    (tmp_path / "clip.mp4").write_bytes(b"eleven byte")
    with pytest.raises(SourceError, match=r"another file, of 11 bytes in place of 10.*10\.0\.0\.2"):
        elsewhere.load(replace(plan, state=state))
    config = load_config(overrides={"segmenter.model": str(tmp_path / "none.tflite")})
    with pytest.raises(ModelError, match=r"none\.tflite.*on node 10\.0\.0\.2"):
        elsewhere.load(replace(plan, config=config))


def test_a_copy_of_the_source_may_have_another_date(elsewhere, plan):
    older = replace(plan.state, modified_ns=plan.state.modified_ns - 10**9)
    loaded, _ = elsewhere.load(replace(plan, state=older))
    assert loaded.state == plan.state


def test_a_node_with_other_libraries_is_refused(monkeypatch, plan):
    monkeypatch.setattr(ray_site, "_here", lambda: ("b", "10.0.0.2"))
    site = RaySite("a", library_versions() | {"numpy": "1.0"}, stored=False)
    with pytest.raises(ConfigError, match=r"node 10\.0\.0\.2 .*numpy [\d.]+ in place of 1\.0"):
        site.load(plan)


def test_a_node_that_does_not_see_where_results_go_is_named(elsewhere, tmp_path, monkeypatch):
    monkeypatch.setattr(ray_site, "SEEN_S", 0.0)
    with pytest.raises(OutputError, match=r"not seen on node 10\.0\.0\.2; .*run\.storage"):
        elsewhere.begin(Begin(str(tmp_path / "chunks" / "worker-1"), "run"))
    stored = RaySite("a", library_versions(), stored=True)
    with pytest.raises(OutputError, match=r"node 10\.0\.0\.2 does not see what the run wrote"):
        stored.begin(Begin(f"file://{tmp_path / 'nothing'}", "run"))


def test_a_cluster_without_room_is_told_while_it_is_waited_for(cluster, plan, monkeypatch, caplog):
    from tempseg.runners import on_ray
    from tempseg.runners.on_ray import RayActors
    from tempseg.runners.worker import Setup

    monkeypatch.setattr(on_ray, "_PATIENCE_S", 0.5)
    crew = RayActors(cluster.address, workers=1, storage="")
    try:
        share = crew.gather(plan)
        assert (share.workers, share.threads) == (1, 1)
        # No node has this many.
        crew.start(Setup(plan, "worker 1", 64, tuple(sys.path), every_s=1.0))
        monkeypatch.setattr(logging.getLogger("tempseg.runners.on_ray"), "warning", _stop)
        with pytest.raises(KeyboardInterrupt, match="no node has room"):
            crew.listen()
    finally:
        crew.dismiss()


def _stop(message, *_):
    raise KeyboardInterrupt(message)
