"""`damgui bench`: what packing, closed answers and kept features are worth, against what everybody's script does.

This half starts processes, divides numbers and writes tables; it does without torch, so that the processes it starts
inherit nothing of its memory. `worker.py` and what it imports run inside those processes.
"""
