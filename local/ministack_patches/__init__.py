"""Services that ministack lacks or simplifies; runs inside ministack's process.

Each module with `install()` replaces private functions of ministack.
"""
