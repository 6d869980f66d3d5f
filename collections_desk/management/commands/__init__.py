"""One module a command.

serve    web, worker and beat until told to stop
"""
