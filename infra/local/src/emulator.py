"""Runs the AWS emulator until standard input closes, and saves its state atomically.

The emulator writes one file per service when it stops, and swallows errors: a process that ends between two files leaves a
stack without its table. Here all services go into one file, which replaces the former one when it is complete.

Standard input: the byte `k` says that the stack is up, so that its state is worth keeping; the end stops the emulator. Exit
status: 0, UNUSABLE when the kept state can't be read, UNSAVED when it could not be written (the former one is left as it was).
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
# The last line, with the number of services before it.
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
    """Yields each service with its state, as the emulator wraps it."""
    hook = persistence._json_object_hook
    if os.path.exists(FILE):
        with open(FILE) as file:
            for number, line in enumerate(file):
                name, state = json.loads(line, object_hook=hook)
                if name == END and state == number:
                    return
                yield name, state
        raise ValueError("its end is missing")
    # The emulator's own files, which earlier versions of this program left to it.
    for name in app._state_map:
        path = os.path.join(persistence.STATE_DIR, f"{name}.json")
        if os.path.exists(path):
            with open(path) as file:
                yield name, json.load(file, object_hook=hook)


def load():
    """In place of the emulator's own, which goes on without what it can't read."""
    try:
        for name, state in saved():
            version, state = state["__ministack_format__"], state["payload"]
            if version > persistence._state_format_version(name):
                raise ValueError(f"{name} is of a newer emulator")
            if state:
                app._get_module(app._state_map[name]).load_persisted_state(state)
    except Exception as error:
        print(f"{persistence.STATE_DIR} can't be read: {type(error).__name__}: {error}", flush=True)
        # Nothing runs yet, and the state is left as it is.
        os._exit(UNUSABLE)


def save(services):
    """In place of the emulator's own, which leaves a file of each service that it managed to write."""
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
            former = os.path.join(persistence.STATE_DIR, f"{name}.json")
            if os.path.exists(former):
                os.remove(former)
        say("The state is saved")
    except Exception as error:
        status = UNSAVED
        say(f"The state could not be saved: {type(error).__name__}: {error}")


def encoded(name, get_state):
    """One service's line, or none when it has no state. Background threads may still change it meanwhile."""
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
    """The emulator expires no items: CloudFormation's time-to-live setting is lost there."""
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
    """The functions' own lines go to files."""
    for group in state["log_groups"]._data.values():
        group["streams"] = {}


# A deep copy of the items takes four times as long as writing them, and nothing is served any more.
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
