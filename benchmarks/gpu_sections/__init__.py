"""The sections of `gpu.py`: each is a function of a shape that returns rows."""
