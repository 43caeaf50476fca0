"""What a run does, step by step; `xlkd.run` has their order."""
