"""A stack as its operator sees it: config, outputs, clients, console and errors."""
