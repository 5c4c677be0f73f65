"""Runs the AWS emulator until standard input closes, and saves its state atomically.

The emulator itself writes one file per service when it stops, and ignores errors. A process that ends between two files
leaves a stack without its table. This program writes all services to one file, which replaces the previous one once it is
complete.

Standard input: the byte `k` enables saving, once the stack is up. End of file stops the emulator. Exit status: 0, UNUSABLE if
the saved state can't be read, UNSAVED if the state could not be written (the previous file stays unchanged).
"""

import copy
import json
import os
import signal
import sys
import threading
import time
from types import SimpleNamespace

from ministack import app
from ministack.core import persistence

UNUSABLE, UNSAVED = 65, 74
FILE = os.path.join(persistence.STATE_DIR, "state.jsonl")
PARTIAL = FILE + ".partial"
# Name in the last line, which contains the number of services before it.
END = "end"

keep = False
status = 0


def say(line):
    print(time.strftime("%Y-%m-%d %H:%M:%S"), line, flush=True)


def watch():
    """Stops the process group, so that no function outlives the emulator."""
    global keep
    while command := os.read(0, 1):
        keep |= command == b"k"
    os.killpg(0, signal.SIGTERM)


def saved():
    """Yields each service and its state, in the emulator's envelope."""
    hook = persistence._json_object_hook
    if os.path.exists(FILE):
        with open(FILE) as file:
            for number, line in enumerate(file):
                name, state = json.loads(line, object_hook=hook)
                if name == END and state == number:
                    return
                yield name, state
        raise ValueError("its end is missing")
    # The emulator's own files, as earlier versions of this program saved the state.
    for name in app._state_map:
        path = os.path.join(persistence.STATE_DIR, f"{name}.json")
        if os.path.exists(path):
            with open(path) as file:
                yield name, json.load(file, object_hook=hook)


def load():
    """Replaces the emulator's function, which skips services that it can't read."""
    try:
        for name, state in saved():
            version, state = state["__ministack_format__"], state["payload"]
            if version > persistence._state_format_version(name):
                raise ValueError(f"{name} was saved by a newer emulator")
            if state:
                app._get_module(app._state_map[name]).load_persisted_state(state)
    except Exception as error:
        print(f"{persistence.STATE_DIR} can't be read: {type(error).__name__}: {error}", flush=True)
        # Nothing is running yet, and the state is unchanged.
        os._exit(UNUSABLE)


def save(services):
    """Replaces the emulator's function, which leaves partial state when writing fails."""
    global status
    if not keep:
        return
    try:
        with open(PARTIAL, "w") as file:
            lines = 0
            for name, get_state in services.items():
                if (line := encoded(name, get_state)) is not None:
                    file.write(line)
                    file.write("\n")
                    lines += 1
                    file.flush()
            file.write(json.dumps([END, lines]) + "\n")
            file.flush()
            os.fsync(file.fileno())
        os.replace(PARTIAL, FILE)
        for name in app._state_map:
            legacy = os.path.join(persistence.STATE_DIR, f"{name}.json")
            if os.path.exists(legacy):
                os.remove(legacy)
        say("State saved")
    except Exception as error:
        status = UNSAVED
        say(f"Failed to save the state: {type(error).__name__}: {error}")


def encoded(name, get_state):
    """Returns a service's line, or None if it has no state. Retries, because background threads may still change it."""
    if name in UNCOPIED:
        get_state.__globals__["copy"] = SimpleNamespace(copy=copy.copy, deepcopy=lambda value, memo=None: value)
    for attempt in range(10):
        try:
            state = get_state()
            if state is None:
                return None
            if name in REDUCED:
                REDUCED[name](state)
            wrapped = {"__ministack_format__": persistence._state_format_version(name), "payload": state}
            return json.dumps([name, wrapped], default=persistence._json_default)
        except RuntimeError:
            if attempt == 9:
                raise
            time.sleep(0.01)


def without_expired_items(state):
    """Removes expired items. The emulator never does: it ignores CloudFormation's time-to-live setting."""
    now = time.time()
    for table in state["tables"]._data.values():
        for partition, items in list(table["items"].items()):
            kept = {key: item for key, item in items.items() if float(item.get("expires_at", {}).get("N", now)) >= now}
            if kept:
                table["items"][partition] = kept
            else:
                del table["items"][partition]
        table["ItemCount"] = sum(map(len, table["items"].values()))


def without_log_events(state):
    """Removes log events: the functions log to files."""
    for group in state["log_groups"]._data.values():
        group["streams"] = {}


# Deep-copying the items takes four times as long as writing them, and no requests are served any more.
UNCOPIED = {"dynamodb", "sqs"}
REDUCED = {"dynamodb": without_expired_items, "cloudwatch_logs": without_log_events}

app._load_persisted_state = load
app.save_all = save


def main():
    threading.Thread(target=watch, daemon=True).start()
    sys.argv[1:] = []
    try:
        app.main()
    finally:
        if status:
            os._exit(status)


main()
