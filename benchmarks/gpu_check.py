"""Check and time the training core on a GPU: the tests that only a GPU can answer, and its speed.

    scripts/gpu_check --json FILE [--data DIR] [--minutes 5.5]
    scripts/gpu_check --json FILE --quick

Checks: each optimizer trains, repeats, resumes and evaluates as it should; stacked members equal
trainings alone, with and without CUDA graphs; a training that fills the GPU fails alone. Times: an
epoch of FashionMNIST for an FCN of 50,890 weights and a CNN of 49,810, alone and stacked, and 300
FCN configurations of 30 epochs. One that fails is listed and the rest goes on; what does not fit
into the minutes is listed as left out. Exits 1 if a check failed.

With --quick everything is tiny and on the CPU, which shows that this program itself works.
"""

import argparse
import json
import os
import platform
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

try:
    import gpu_checks
    import gpu_timings
    import gpu_ways
    from gpu_bench import Bench, Utilisation
except ModuleNotFoundError as missing:
    if missing.name is None or missing.name.startswith("tune_app"):
        raise
    sys.exit(f"gpu_check needs the package {missing.name}: pip install {missing.name}")

Section = tuple[str, Callable[[Bench], None]]
SECTIONS: tuple[Section, ...] = (
    ("ceilings", gpu_timings.time_ceilings),
    ("optimizers", gpu_checks.check_optimizers),
    ("evaluation", gpu_checks.check_evaluation),
    ("augmentation", gpu_checks.check_augmentation),
    ("members", gpu_checks.check_members),
    ("epochs alone", gpu_timings.time_alone),
    ("epochs stacked", gpu_timings.time_stacked),
    ("300 trainings", gpu_timings.time_search),
    ("ways", gpu_ways.time_ways),
    ("profile", gpu_timings.profile_step),
    ("memory", gpu_checks.check_full_memory),  # last: it fills the GPU
)


def main() -> int:
    arguments = parse_arguments()
    started = time.perf_counter()
    device = torch.device("cpu" if arguments.quick else "cuda")
    if device.type == "cuda" and not torch.cuda.is_available():
        print("no GPU that torch can use; --quick runs tiny sizes on the CPU", file=sys.stderr)
        return 3
    if arguments.quick:
        torch.set_num_threads(1)  # more only wait for each other on networks this small
    bench = Bench.load(device, arguments.data, quick=arguments.quick)
    record: dict[str, Any] = {"machine": machine(device), "data": bench.described, "sections": {}}
    for name, section in SECTIONS:
        begun = time.perf_counter()
        if begun - started > 60 * arguments.minutes:
            bench.note_failure(name, "left out: no time left")
            write(record, bench, started, arguments.json)
            continue
        with Utilisation(device) as utilisation:
            try:
                section(bench)
            except Exception as error:
                text = f"{type(error).__name__}: {str(error).splitlines()[0][:200]}"
                bench.note_failure(name, text, traceback.format_exc())
        seconds = time.perf_counter() - begun
        record["sections"][name] = {"seconds": round(seconds, 2), **utilisation.summary()}
        print(f"{name}: {seconds:.1f} s", flush=True)
        write(record, bench, started, arguments.json)
    show(record)
    return 0 if all(check["ok"] for check in bench.checks) else 1


def write(record: dict[str, Any], bench: Bench, started: float, path: Path) -> None:
    """Bring the record up to date, and the file: who is cut short loses only one section."""
    record |= {"checks": bench.checks, "timings": bench.timings, "profile": bench.profile}
    record["seconds"] = round(time.perf_counter() - started, 1)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def machine(device: torch.device) -> dict[str, Any]:
    found: dict[str, Any] = {
        "device": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "torch": torch.__version__,
    }
    if device.type == "cuda":
        card = torch.cuda.get_device_properties(device)
        found |= {
            "device": card.name,
            "memory_gib": round(card.total_memory / 2**30, 1),
            "multiprocessors": card.multi_processor_count,
            "cuda": torch.version.cuda,
            "cudnn": torch.backends.cudnn.version(),
        }
    return found


def show(record: dict[str, Any]) -> None:
    print(f"\n{record['machine']}\n{record['data']}\n")
    for check in record["checks"]:
        if not check["ok"] or check["value"] is not None:
            verdict = "ok    " if check["ok"] else "FAILED"
            print(f"{verdict} {check['name']:52} {check['value'] or ''} {check['note']}")
    passed = sum(check["ok"] for check in record["checks"])
    print(f"{passed} of {len(record['checks'])} checks passed\n")
    for timing in record["timings"]:
        print("  ".join(f"{name} {value}" for name, value in timing.items()))
    for name, section in record["sections"].items():
        print(f"{name:16} {section}")
    print(f"{record['seconds']} s in all")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, required=True, help="where the whole record goes")
    parser.add_argument("--data", type=Path, help="the folder that holds FashionMNIST/raw")
    parser.add_argument("--minutes", type=float, default=5.5, help="begin nothing after these")
    parser.add_argument("--quick", action="store_true", help="tiny sizes on the CPU")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
