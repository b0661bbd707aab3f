"""A code location that cannot look after its runs any more ends, so that it is started again."""

import inspect
import subprocess
import sys

import pytest
from dagster._grpc import server

from fraud_platform.defs.code_location import WATCH

PROGRAM = """
import threading
from fraud_platform.defs.code_location import end_with_the_watch

def fail():
    raise OSError("no database")

end_with_the_watch()
thread = threading.Thread(target=fail, name="{name}")
thread.start()
thread.join()
print("still here")
"""


@pytest.mark.parametrize(
    ("name", "code", "printed", "said"),
    [
        (WATCH, 1, "", "and the code location with it, to be started again: OSError: no database"),
        ("another", 0, "still here\n", "Exception in thread another"),
    ],
)
def test_only_the_end_of_the_watch_ends_the_process(name, code, printed, said):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(name=name)], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout) == (code, printed)
    assert said in done.stderr


def test_dagster_still_calls_the_thread_so():
    assert f'name="{WATCH}"' in inspect.getsource(server)
