// Nothing is required here. go.sum beside this file holds the hashes of releases that rehearsal/engines/as_released.py builds;
// each was compared with the tag of its repository.
module laptop.containers/engines/as-released

go 1.26
