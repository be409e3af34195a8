"""One router as several processes: a supervisor that owns the sockets and speaks for all, and workers that serve.

The supervisor starts the workers, replaces those that end, reloads all or none, and gathers what they know::

    supervisor   listening sockets, admin listener, signals, file watch
      └── crew       who runs; start, replace, reload, drain
            └── hand     one worker as the supervisor sees it: a process and a channel
    worker       the whole object graph of a router; serves the shared public socket, answers over its channel
"""
