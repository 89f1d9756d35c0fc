---Raises in its main chunk.
error "this script does not load"
