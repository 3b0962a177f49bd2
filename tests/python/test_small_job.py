"""The small program that users could have written, run as they would run it."""

import pathlib
import subprocess
import sys


def test_the_small_job_ends_well():
    program = pathlib.Path(__file__).with_name("small_job.py")
    run = subprocess.run([sys.executable, program], capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stderr == ""
