"""The decisions and the doing: policies, notices, the roads out of the house."""
