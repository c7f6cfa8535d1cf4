"""What running a program costs."""

import os
import resource
import subprocess
import time


def costs_of(command, log, limit_seconds):
    """Runs a program to its end, or to its limit of CPU seconds, and says what it cost."""

    def limit():
        resource.setrlimit(resource.RLIMIT_CPU, (limit_seconds, limit_seconds))

    began = time.monotonic()
    with open(log, "w") as output:
        child = subprocess.Popen([str(part) for part in command], stdout=output, stderr=subprocess.STDOUT, preexec_fn=limit)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    cpu = usage.ru_utime + usage.ru_stime
    costs = {
        "cpu_s": round(cpu, 2),
        "wall_s": round(time.monotonic() - began, 2),
        "peak_mb": round(usage.ru_maxrss / 1024),
        "status": "ran",
    }
    if child.returncode != 0:
        stopped = child.returncode < 0 and cpu > 0.9 * limit_seconds
        costs["status"] = "stopped" if stopped else "failed"
        costs["error"] = f"stopped after {limit_seconds} CPU s" if stopped else last_line(log.read_text())
    return costs


def last_line(text):
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:300] if lines else "it said nothing"
