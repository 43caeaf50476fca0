"""The steps of a run, in the order in which `xlkd.run` takes them."""
