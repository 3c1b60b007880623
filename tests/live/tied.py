"""Runs a Python module that ends when its starter ends, however that one dies: `python tied.py MODULE ARGUMENT...`.

A test run that is killed must not leave workers behind. Only Linux knows how; elsewhere the module just runs.
"""

import ctypes
import os
import signal
import sys

if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG; it outlives exec
os.execv(sys.executable, [sys.executable, "-m", *sys.argv[1:]])
