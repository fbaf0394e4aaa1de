"""What a template says: the contracts of the api-versions, reading, checking. Pure: no I/O."""
