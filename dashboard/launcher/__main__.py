"""The entry point of the launcher. The script ``./netmodes`` passes its own path, the Python interpreter that it chose,
and the user's arguments."""

import os
import signal
import sys

# A shell starts background jobs with these signals ignored; what the launcher starts must react to Ctrl-C.
for number in (signal.SIGINT, signal.SIGQUIT):
    signal.signal(number, signal.SIG_DFL)

root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
data = os.path.realpath(os.environ.get("NETMODES_DATA_DIR") or f"{root}/var")
# The bytecode goes to the data folder, as that of the commands does. Nothing is written before that folder is prepared.
if os.path.isdir(f"{data}/venv"):
    sys.pycache_prefix = f"{data}/pycache"
else:
    sys.dont_write_bytecode = True
sys.path.insert(0, root)

from dashboard import interrupts  # noqa: E402

interrupts.end_at_once()

from dashboard.launcher.commands import main  # noqa: E402

sys.exit(main(root, sys.argv[1], sys.argv[2], sys.argv[3:]))
