"""The building: servers, processes, pages for machines."""
