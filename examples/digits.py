"""The whole path on handwritten digits, offline: `make demo`.

Writes scikit-learn's digits as images, trains a small network from scratch on 0 to 4, grows a classifier of 5 to 9
on it in two phases, exports it, serves it, and asks the service about images that no training saw. Every step is
the command that you would use on images of your own. `make demo KEEP=1` leaves the service up, and reuses what an
earlier demo with the same settings made.
"""

import argparse
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import numpy.typing as npt
from PIL import Image
from rich.console import Console
from rich.table import Table
from sklearn.datasets import load_digits

HERE = Path("demo")
OLD, NEW = HERE / "digits-0-to-4", HERE / "digits-5-to-9"
RUNS, MODELS = HERE / "runs", HERE / "models"
LINEAGE = {"GRAFT_LINEAGE_URL": f"sqlite:///{HERE.absolute()}/lineage.db"}
SHOWN = 12
WANTED_ACCURACY = 0.90
NETWORK = {"model.alpha": 0.35, "model.image_size": 96, "data.batch_size": 16}
FROM_SCRATCH = {"phase_one.epochs": 4}
# Digits are far from each other's features, and this base has seen only five: more is trained, in wider steps, than
# is right for photographs on ImageNet weights.
FINE_TUNING = {
    "head.units": [64],
    "head.dropout": [0.2],
    "phase_one.epochs": 6,
    "phase_one.learning_rate": 0.005,
    "gate.force": True,  # the head alone cannot become good on such a base
    "phase_two.epochs": 8,
    "phase_two.learning_rate": 0.0005,
    "phase_two.patience": 4,
    "phase_two.unfreeze": 154,
}

MADE = HERE / "settings.json"
"""The settings that everything in the folder was made with."""
SETTINGS = {"network": NETWORK, "from_scratch": FROM_SCRATCH, "fine_tuning": FINE_TUNING}
FIRST_PORT, LAST_PORT = 8000, 8099

console = Console(highlight=False, soft_wrap=True)


def main() -> int:
    """Run the demo and return its exit code."""
    parser = argparse.ArgumentParser(description="The whole path on handwritten digits.")
    parser.add_argument(
        "--keep", action="store_true", help="reuse what is there, and leave the service up until Ctrl-C"
    )
    keep = parser.parse_args().keep
    began = time.monotonic()
    if not keep or not was_made_with(SETTINGS):
        shutil.rmtree(HERE, ignore_errors=True)
    version = make_version()
    step("Where it came from")
    graft("lineage", "show", str(version))
    step("Model server and gateway answer over HTTP")
    with service(free_port() if keep else 0) as (process, url):
        accuracy = predict(url)
        console.print(f"\nThe whole path took {time.monotonic() - began:.0f} s.")
        if keep:
            console.print(f"Still serving at {url}; try: graft predict {NEW}/7/*.png --url {url}\nCtrl-C stops it.")
            wait_until_it_ends(process)
    if accuracy < WANTED_ACCURACY:
        console.print(f"The test accuracy is below {WANTED_ACCURACY}: something is wrong.")
        return 1
    return 0


def make_version() -> Path:
    """Make the images, both runs and the version, as far as they are not there, and return the version's folder."""
    base, digits = newest_run("base"), newest_run("digits")
    version = newest_version() if digits else None
    if MADE.exists():
        console.print(f"Reused from an earlier demo: {', '.join(found(base, digits, version))}.")
        console.print(f"To start over: make demo, or rm -r {HERE}", markup=False)
    else:
        step("Handwritten digits become images")
        write_digits()
    if base is None:
        step("A small network learns the digits 0 to 4 from scratch")
        train(OLD, "base", "none", NETWORK | FROM_SCRATCH)
        base = newest_run("base")
    if digits is None:
        step("A classifier of the digits 5 to 9 is grown on it, in two phases")
        train(NEW, "digits", str(base), NETWORK | FINE_TUNING)
        digits = newest_run("digits")
    if version is None:
        step("The model is exported and proved")
        graft("export", str(digits), "--runs", str(RUNS), "--models", str(MODELS))
        version = newest_version()
    if version is None:
        raise SystemExit(f"There is no version under {MODELS / 'digits'}.")
    return version


def found(base: Path | None, digits: Path | None, version: Path | None) -> list[str]:
    """Return what is there, in words."""
    runs = [f"the run {run.name}" for run in (base, digits) if run]
    return [f"the images under {HERE}/", *runs, *([f"the version {version}"] if version else [])]


def was_made_with(settings: dict[str, Any]) -> bool:
    """Return whether the folder was made with these settings; where it was not, say so."""
    if MADE.exists() and MADE.read_text(encoding="utf-8") == json.dumps(settings):
        return True
    if HERE.exists():
        console.print(f"What is in {HERE}/ is not complete, or was made with other settings: starting over.")
    return False


def newest_run(name: str) -> Path | None:
    """Return the newest finished run of a name, if there is one."""
    return max((file.parent for file in RUNS.glob(f"*-{name}/run.json")), default=None)


def newest_version() -> Path | None:
    """Return the newest published version, if there is one."""
    numbers = [int(path.name) for path in (MODELS / "digits").glob("*") if path.name.isdecimal()]
    return MODELS / "digits" / str(max(numbers)) if numbers else None


def free_port() -> int:
    """Return the first free port from 8000 on, and say so if it is another."""
    for port in range(FIRST_PORT, LAST_PORT + 1):
        try:
            with socket.create_server(("127.0.0.1", port)):
                pass
        except OSError:
            continue
        if port != FIRST_PORT:
            console.print(f"Port {FIRST_PORT} is taken; the service gets {port}.")
        return port
    raise SystemExit(f"No port from {FIRST_PORT} to {LAST_PORT} is free.")


def step(title: str) -> None:
    """Say what comes next."""
    console.print(f"\n[bold]{title}[/bold]")


def graft(*arguments: str) -> None:
    """Run a verb of the command, showing the command line."""
    console.print(f"$ graft {' '.join(arguments)}", style="dim", markup=False)
    subprocess.run([sys.executable, "-m", "graft", *arguments], check=True, env=os.environ | LINEAGE)


def train(data: Path, name: str, weights: str, settings: dict[str, Any]) -> None:
    """Train on `data`, with settings by their dotted names."""
    assignments = [argument for key, value in settings.items() for argument in ("--set", f"{key}={json.dumps(value)}")]
    graft("train", str(data), "--name", name, "--weights", weights, "--runs", str(RUNS), *assignments)


def write_digits() -> None:
    """Write each of scikit-learn's 1,797 digits, 8 x 8 in 17 greys, as a PNG of 64 x 64 in its class folder."""
    images, digits = load_digits(return_X_y=True)
    for index, (image, digit) in enumerate(zip(images.reshape(-1, 8, 8), digits, strict=True)):
        folder = (OLD if digit < 5 else NEW) / str(digit)
        folder.mkdir(parents=True, exist_ok=True)
        as_image(image).save(folder / f"{index:04d}.png")
    MADE.write_text(json.dumps(SETTINGS), encoding="utf-8")  # last: the images are complete
    console.print(f"{len(digits)} images under {HERE}/")


def as_image(digit: npt.NDArray[np.float64]) -> Image.Image:
    """Return a digit of [8, 8], 0 to 16, as a smooth grey image."""
    return Image.fromarray((digit * 255 / 16).astype(np.uint8)).resize((64, 64), Image.Resampling.BICUBIC)


@contextmanager
def service(port: int) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """Run `graft up`, on a free port for 0, yield it and its address once it is ready, and stop it."""
    arguments = ["up", "--models", str(MODELS), "--name", "digits", "--port", str(port)]
    console.print(f"$ graft {' '.join(arguments)}", style="dim", markup=False)
    command = [sys.executable, "-m", "graft", *arguments]
    quiet = {
        "GATEWAY_LOG_LEVEL": "warning",
        **os.environ,
    }  # a line for each of hundreds of requests tells nobody anything
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=quiet) as process:
        try:
            yield process, wait_until_ready(process)
        finally:
            if process.poll() is None:
                process.terminate()


def wait_until_ready(process: "subprocess.Popen[str]") -> str:
    """Return the address that `graft up` prints when it serves."""
    assert process.stdout is not None
    for line in process.stdout:
        console.print(line.rstrip(), markup=False)
        if found := re.search(r"Serving at (http://\S+)", line):
            return found[1]
    raise SystemExit(f"graft up ended with exit code {process.wait()}.")


def predict(url: str) -> float:
    """Post the images that no training saw, print some answers, and return the share of right ones."""
    run = newest_run("digits")
    assert run is not None
    record = json.loads((run / "run.json").read_text())
    table = Table("image", "true class", "answer", "probability", "ms", title="Held-out images, over HTTP")
    right = 0
    with httpx.Client(base_url=url, trust_env=False) as client:
        for index, held_out in enumerate(shuffled(record["test_images"])):
            start = time.perf_counter()
            response = client.post(
                "/v1/predict", content=Path(held_out["path"]).read_bytes(), headers={"content-type": "image/png"}
            )
            milliseconds = (time.perf_counter() - start) * 1000
            (prediction,) = response.raise_for_status().json()["predictions"]
            right += prediction["label"] == held_out["label"]
            if index < SHOWN:
                style = "" if prediction["label"] == held_out["label"] else "red"
                name = os.path.relpath(held_out["path"])
                row = [
                    name,
                    held_out["label"],
                    prediction["label"],
                    f"{prediction['probability']:.3f}",
                    f"{milliseconds:.0f}",
                ]
                table.add_row(*row, style=style)
    console.print(table)
    count = len(record["test_images"])
    console.print(f"Test accuracy over HTTP: {right / count:.3f} ({right} of {count} images)")
    return right / count


def shuffled(held_out: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the images in an order that mixes the classes, the same each time."""
    return [held_out[index] for index in np.random.default_rng(0).permutation(len(held_out))]


def wait_until_it_ends(process: "subprocess.Popen[str]") -> None:
    """Wait for Ctrl-C, or for the service to end by itself."""
    try:
        process.wait()
    except KeyboardInterrupt:
        process.wait()  # Ctrl-C reached it, too
        console.print("Stopped.")


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except KeyboardInterrupt:
        raise SystemExit(130) from None  # whatever was running has been told too, and says so itself
    except subprocess.CalledProcessError as failed:
        raise SystemExit(failed.returncode) from None  # the verb has said why
