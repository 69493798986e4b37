"""JSON over HTTP: `/v1`, our own; `/api`, the sources' paths; what operators ask; the reference at `/docs`."""
