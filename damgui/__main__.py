"""`python -m damgui` is the command line."""

import sys

from damgui.cli.commands import main

sys.exit(main())
