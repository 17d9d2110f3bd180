"""What the agent and its commands wrote down, read from their files."""
import json

from sandbox import wait_for

UNREACHABLE = 6  # exit code of a command whose agent does not answer


class Trail:
    """The state directory of one bgswitch."""

    def __init__(self, bgs):
        self.directory = bgs.state_dir
        self.state_path = self.directory / "state.json"

    def lines(self, name):
        """Whole lines only: a writer that was killed may leave a part of one."""
        path = self.directory / name
        text = path.read_text() if path.exists() else ""
        return [json.loads(line) for line in text.splitlines(keepends=True)
                if line.endswith("\n") and line.startswith("{") and line.endswith("}\n")]

    def events(self, kind=None):
        return [e for e in self.lines("events.jsonl") if kind in (None, e["event"])]

    def wait_event(self, kind, text="", count=1, seconds=15):
        """Until `count` events of this kind hold the text; the last of them."""
        def found():
            return [e for e in self.events(kind) if text in e["message"]]

        wait_for(lambda: len(found()) >= count, f"{count} x {kind} '{text}'", seconds)
        return found()[-1]

    def history(self):
        return self.lines("history.jsonl")

    def wait_history(self, outcome, seconds=15):
        """Until the last entry has this outcome; the entry."""
        wait_for(lambda: self.history() and self.history()[-1]["outcome"] == outcome,
                 f"history to end with {outcome}", seconds)
        return self.history()[-1]

    def state(self):
        return json.loads(self.state_path.read_text())

    def operations(self):
        return self.state().get("operations", {})

    def edit(self, **members):
        """As another process, or another boot, would have left it."""
        self.state_path.write_text(json.dumps({**self.state(), **members}))
